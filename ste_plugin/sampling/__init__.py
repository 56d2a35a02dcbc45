"""Judgments, sampled in waves until what is needed is there."""
