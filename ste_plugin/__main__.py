"""`python -m ste_plugin` is `ste`."""

from ste_plugin.cli import main

main()
