"""Reminders and education around a first ketamine therapy session."""

__version__ = "0.1.0"
