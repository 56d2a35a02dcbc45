"""The seam to every model: chat requests in, completions out, in any order."""

from ste_plugin.engines.base import ChatRequest, Completion, Engine, Message, Place, Sampling

__all__ = ["ChatRequest", "Completion", "Engine", "Message", "Place", "Sampling"]
