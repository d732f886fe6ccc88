"""Who carries a message: one file a provider behind one protocol."""
