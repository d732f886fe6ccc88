"""Adds one to an enrollment's revision, many times, a transaction each."""

import sys

from drip.store import enrollments
from drip.store.engine import open_engine, writing

url, enrollment_id, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
engine = open_engine(url)
for _ in range(times):
    with writing(engine) as session:
        enrollment = enrollments.lock(session, enrollment_id)
        assert enrollment is not None
        enrollment.revision += 1
