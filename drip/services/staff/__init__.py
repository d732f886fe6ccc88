"""What staff look at and do: tasks, conversations, replies, the digest, the status."""
