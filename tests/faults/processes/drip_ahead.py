"""`drip` with a clock that can be moved while it runs: drip_ahead.py FILE COMMAND ...

FILE holds the seconds by which it is ahead of the machine's clock.
"""

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

from drip.app import App
from drip.cli.main import main
from drip.clock import system_clock
from drip.config import read_settings

ahead = Path(sys.argv[1])


def clock() -> datetime:
    return system_clock() + timedelta(seconds=float(ahead.read_text()))


App.from_environment = classmethod(  # type: ignore[method-assign,assignment]
    lambda cls: cls(read_settings(os.environ, Path()), clock)
)
main(sys.argv[2:])
