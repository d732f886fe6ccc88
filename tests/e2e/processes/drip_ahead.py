"""`drip` with a clock that is ahead of the machine's: drip_ahead.py SECONDS COMMAND ..."""

import os
import sys
from datetime import timedelta
from pathlib import Path

from drip.app import App
from drip.cli.main import main
from drip.clock import system_clock
from drip.config import read_settings

ahead = timedelta(seconds=float(sys.argv[1]))
App.from_environment = classmethod(  # type: ignore[method-assign,assignment]
    lambda cls: cls(read_settings(os.environ, Path()), lambda: system_clock() + ahead)
)
main(sys.argv[2:])
