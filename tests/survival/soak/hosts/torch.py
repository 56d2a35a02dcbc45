"""Stands for torch, of which is only asked whether it is there."""
