"""Forgetting instructions: taking them, and everything made of them, out of a run's folder."""

from ste_plugin.forget.forgetting import ForgetReport, forget
from ste_plugin.forget.run import open_run, read_run
from ste_plugin.forget.wanted import ForgetQuery

__all__ = ["ForgetQuery", "ForgetReport", "forget", "open_run", "read_run"]
