"""Requests to models: built, sent and budgeted, and their completions stored."""
