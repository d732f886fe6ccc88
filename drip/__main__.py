"""Runs the command line as `python -m drip`."""

from drip.cli.main import main

main()
