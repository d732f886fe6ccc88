"""Brings a database up to date."""

import sys

from drip.store.engine import open_engine
from drip.store.migrate import is_current, upgrade

engine = open_engine(sys.argv[1])
upgrade(engine)
assert is_current(engine)
print(*sorted({name.split(".")[0] for name in sys.modules}))
