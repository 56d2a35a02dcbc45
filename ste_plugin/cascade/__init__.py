"""A decision first, then reasons, then a vote, then silence: with an error that is promised."""

from ste_plugin.cascade.cascade import Cascade, open_judge

__all__ = ["Cascade", "open_judge"]
