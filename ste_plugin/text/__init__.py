"""Untrusted text made safe, and files read as data: no output but what is returned."""
