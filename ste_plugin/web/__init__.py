"""A local web server for one person's browser, and nobody else's."""
