"""Asking models for what is owed, and keeping every answer."""
