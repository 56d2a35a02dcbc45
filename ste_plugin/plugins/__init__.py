"""Plugins: the manager, plugins that are single files, and the package's own contributions."""
