"""Visits as they are booked, imported, moved, cancelled and confirmed."""
