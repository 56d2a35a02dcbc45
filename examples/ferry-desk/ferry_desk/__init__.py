"""The parts of ste that are the ferry line's own: see `hooks`."""
