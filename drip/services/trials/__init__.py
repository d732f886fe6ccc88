"""Messages before a patient gets them: previews, simulations, the demo, a test message."""
