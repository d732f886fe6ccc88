"""What providers say of messages that they took: receipts, polls, bounces."""
