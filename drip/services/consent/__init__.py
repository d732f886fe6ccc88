"""Who may be written to: consent given and withdrawn, stops."""
