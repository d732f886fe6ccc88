"""What is said and when: schedules, messages, the clinic's profile, and their checks."""
