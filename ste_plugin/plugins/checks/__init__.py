"""Checks of a plugin for its own tests: each hook is called as a run calls it, and twice."""
