"""Publishing a run: its judge, data and report, with cards, into a folder or to a hub."""
