"""Killing a run at random moments, over and over, until it is done: `python -m tests.soak --help`."""
