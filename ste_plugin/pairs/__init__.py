"""Pairs of a better and a worse answer, split by instruction."""
