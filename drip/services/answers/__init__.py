"""What Drip says back at once: answers to replies, alerts to the clinic, alarms in a crisis."""
