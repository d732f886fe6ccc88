"""What a patient's link leads to: the message, preferences, unsubscribing."""
