"""The judge in other people's ecosystems, each named by a path that its host imports."""
