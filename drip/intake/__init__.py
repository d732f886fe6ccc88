"""Somebody's payload to our booking events, pure."""
