"""The demo: a real 135M model made into a judge on two cores."""

from ste_plugin.demo.prepare import prepare_demo

__all__ = ["prepare_demo"]
