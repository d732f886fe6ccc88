"""Use cases. Each owns its transaction and takes `now`."""
