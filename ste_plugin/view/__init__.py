"""Judgments browsed: an index beside the files, and the pages made of it."""
