"""Setting up, watching over and keeping in order an installation."""
