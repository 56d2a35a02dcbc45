"""Reported words made plain, and files read as data: no output but what is returned."""
