"""Which of the recipes that fit to take first.

Best is, in this order:

1. a recipe written for a model of about this size, as its rate and batch are (one that names no
   size is for any);
2. what trains more of the model: all weights, then LoRA, then LoRA on quantised weights;
3. what is nearer to the paper: SFT as in it, then DPO as its released judge, then other preference
   and reward methods, last a judge that answers by a letter alone, which needs a data set of such;
4. what leaves more memory free, for longer sequences or a larger batch, and last the name
   (`fit.best_first`).
"""

import re
from collections.abc import Mapping
from math import log2
from typing import Any

from ste_plugin.fitting.memory import Training
from ste_plugin.fitting.model_shape import ModelShape

Rank = tuple[int, int, int]
"""The first three of these; smaller is better."""

_METHODS = {None: 0, "dpo": 1}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([BM])(?![a-z])", re.IGNORECASE)


def rank_recipe(recipe: Mapping[str, Any], training: Training, parameters: int) -> Rank:
    """Return the rank of a recipe for a model of so many parameters, whether it fits or not."""
    quantised = training.weight_bytes < training.compute_bytes
    part = 0 if training.rank is None else 1 + quantised
    of_letters = (recipe.get("ste") or {}).get("decision") is not None
    method = 3 if of_letters else _METHODS.get(recipe.get("rl"), 2)
    return _size_distance(str(recipe.get("base_model", "")), parameters), part, method


def why_unsuited(recipe: Mapping[str, Any], shape: ModelShape) -> str:
    """Return why a recipe cannot train this family, and the cure; empty where it can."""
    if shape.sinks and recipe.get("attn_implementation") == "sdpa":
        return "attention sinks have no sdpa; take one for gpt-oss, or attn_implementation: eager"
    if not shape.sinks and recipe.get("model_quantization_config") == "Mxfp4Config":
        return "it loads experts of 4 bits (Mxfp4Config), which gpt-oss alone has"
    return ""


def _size_distance(base_model: str, parameters: int) -> int:
    """Return how many doublings lie between the size in a model's name and this one, rounded."""
    found = _SIZE.search(base_model)
    if found is None:
        return 0
    written_for = float(found[1]) * {"B": 1e9, "M": 1e6}[found[2].upper()]
    return round(abs(log2(parameters / written_for)))
