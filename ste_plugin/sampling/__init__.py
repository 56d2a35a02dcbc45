"""Judgments, sampled in waves until each task has what it needs."""
