"""The files of a run: their formats, their paths, and the order in which they are written."""
