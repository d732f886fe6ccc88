"""Due messages on their way: decided, handed over, recorded, settled."""
