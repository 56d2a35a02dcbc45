"""Killing a run at random moments until it is done: `python -m tests.survival.soak --help`."""
