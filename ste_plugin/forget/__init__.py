"""Forgetting instructions: removing them, and everything made from them, from a run's folder."""

from ste_plugin.forget.find_run import read_run
from ste_plugin.forget.forget_instructions import ForgetReport, forget
from ste_plugin.forget.query import ForgetQuery

__all__ = ["ForgetQuery", "ForgetReport", "forget", "read_run"]
