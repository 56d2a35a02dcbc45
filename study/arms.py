"""The study's arms: the base recipe, and the same with one thing changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from study.inputs import CHOOSING

SEEDED = "ste_plugin.axolotl.training_plugins.SeededAdapter"
BASE: dict[str, Any] = {
    "pairs": {
        "strategies": [
            "other-instruction",
            "modified-instruction-two-calls",
            "ask-for-worse",
        ],
        "system": [
            "Answer in one short sentence.",
            "Answer in two sentences.",
            "Answer in a short paragraph.",
            "Answer with a short list of points.",
        ],
        "temperature": 0.5,
        "max_new_tokens": 160,
    },
    "judging": {"format": "verdict", "force_verdict": True, "samples": 8, "temperature": 1.0},
    "dataset": {"sequence_len": 640, "dev_fraction": 0.1, "test_fraction": 0.1},
    "training": {"start_from": "seed"},
    "evaluation": {"batch_size": 16},
}
BASE_RECIPE: dict[str, Any] = {
    "sequence_len": 640,
    "num_epochs": 1.5,
    "bfloat16": True,  # weights too, which halves the time; OnCpu puts it off where it does not
    "bf16": False,
}
"""What differs of the demo's axolotl config."""


@dataclass(frozen=True)
class Arm:
    """One change to the base recipe."""

    what: str
    """What it asks, for the table."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What differs of `BASE`."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """What differs of the axolotl config."""
    labelled: tuple[str, ...] = ()
    """Labelled sets of whose other pairs, not those that are measured on, it is taught as well."""


ARMS: dict[str, Arm] = {
    "base": Arm("three kinds of worse answers in four styles, both orders, always from the seed"),
    "one-style": Arm(
        "answers of one short sentence alone",
        {"pairs": {"system": "Answer in one short sentence.", "max_new_tokens": 64}},
    ),
    "from-previous": Arm(
        "each round goes on from the judge before", {"training": {"start_from": "previous"}}
    ),
    "without-restart": Arm(
        "each round goes on, on instructions of its own, 4 samples",
        {
            "training": {"start_from": "previous", "instructions": "fresh"},
            "judging": {"samples": 4},
        },
    ),
    "other-instruction": Arm(
        "worse: the answer to another instruction",
        {"pairs": {"strategies": ["other-instruction"]}},
    ),
    "modified-instruction": Arm(
        "worse: the answer to a rewritten instruction",
        {"pairs": {"strategies": ["modified-instruction-two-calls"]}},
    ),
    "ask-for-worse": Arm("worse: asked to be worse", {"pairs": {"strategies": ["ask-for-worse"]}}),
    "altered-too": Arm(
        "and the better answer with words altered by rule",
        {"pairs": {"strategies": [*BASE["pairs"]["strategies"], "altered-answer"]}},
    ),
    "length-matched": Arm("length tells nothing", {"dataset": {"match": ["length"]}}),
    "both-orders-only": Arm(
        "pairs judged right in both orders", {"dataset": {"both_orders_only": True}}
    ),
    "hard-pairs": Arm(
        "fewer of the pairs that it is mostly right about",
        {"dataset": {"weigh_by_pass_rate": True}},
    ),
    "majority": Arm(
        "a judgment of a right majority of 7, not the first right one",
        {"judging": {"sampling": "until_decided", "samples": 7}},
    ),
    "brief": Arm(
        "two sentences of reasoning before the verdict",
        {"judging": {"format": "brief"}, "dataset": {"sequence_len": 768}},
        {"sequence_len": 768},
    ),
    "brief-and-verdict": Arm(
        "the same, and half of the rows ask for the letter alone",
        {
            "judging": {"format": "brief"},
            "dataset": {"sequence_len": 768, "verdict_share": 0.5},
        },
        {"sequence_len": 768},
    ),
    "rating": Arm(
        "each answer rated alone",
        {
            "judging": {"format": "rating", "max_new_tokens": 48},
            "dataset": {"sequence_len": 768},
        },
        {"sequence_len": 768},
    ),
    "padded-either": Arm(
        "one of the two answers padded in a third of the pairs",
        {
            "pairs": {
                "strategies": [
                    "other-instruction",
                    "modified-instruction-two-calls",
                    "padded-either",
                ]
            }
        },
    ),
    "inject-error": Arm(
        "worse: the better answer with a fault in it", {"pairs": {"strategies": ["inject-error"]}}
    ),
    "decision": Arm(
        "the letter alone, by both orders at once: cross entropy and Brier terms",
        {"judging": {"format": "decision", "samples": 1}},
        {
            "plugins": ["ste_plugin.axolotl.STEPlugin", SEEDED],
            "ste": {"decision": {"brier": 1.0, "consistency": 1.0}},
            "curriculum_sampling": False,
        },
    ),
    "labels-of-people": Arm(
        "no pairs of its own: those that people labelled, of the sets to choose by",
        {"pairs": {"strategies": []}},
        labelled=CHOOSING,
    ),
    "labels-length-matched": Arm(
        "the same, of which length tells nothing",
        {"pairs": {"strategies": []}, "dataset": {"match": ["length"]}},
        labelled=CHOOSING,
    ),
    "half-the-steps": Arm("half the epochs", recipe={"num_epochs": 0.75}),
}
"""Name → arm, in the order in which they are run."""


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings with a change laid over them."""
    both = dict(base)
    for key, value in change.items():
        nested = isinstance(value, Mapping) and isinstance(both.get(key), Mapping)
        both[key] = merged(both[key], value) if nested else value
    return both
