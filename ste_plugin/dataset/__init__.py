"""Judgments made into training rows and the manifest that vouches for them."""
