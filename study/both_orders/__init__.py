"""Judges of a letter taught by both orders of each pair at once, against judges taught by one
random order of it with cross entropy alone: `python -m study.both_orders MANIFEST`."""

WAYS = ("both-orders", "single-orders")
