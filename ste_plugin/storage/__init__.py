"""The files of a run: their formats, their places, and the order in which they are written."""
