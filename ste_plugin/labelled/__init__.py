"""Labelled pairs, in whichever shape people have them."""

from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.labelled.read import AS_IT_IS, Reading, read_labelled, read_placed

__all__ = ["AS_IT_IS", "LabelledPair", "Reading", "read_labelled", "read_placed"]
