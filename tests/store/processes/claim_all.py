"""Claims due deliveries a few at a time until none is left, and prints their ids."""

import sys
from datetime import datetime, timedelta

from drip.store import claiming
from drip.store.engine import open_engine, writing

url, now, token = sys.argv[1], datetime.fromisoformat(sys.argv[2]), sys.argv[3]
engine = open_engine(url)
print("ready", flush=True)
sys.stdin.readline()
while True:
    with writing(engine) as session:
        claimed = claiming.claim(session, now, limit=7, lease=timedelta(minutes=5), token=token)
    if not claimed:
        break
    print(*claimed)
