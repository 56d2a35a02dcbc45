"""Plugins: the manager, files that hold one, and what the package itself contributes."""
