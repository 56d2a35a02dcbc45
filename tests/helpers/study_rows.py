"""Rows of the study."""

from typing import Any

from study.inputs import CHOOSING, REPORTING

NAMES = (*CHOOSING, *REPORTING)
"""The labelled sets."""


def row(**what: Any) -> dict[str, Any]:
    """Return a row of a trial that gained surely on one set."""
    about = {"arm": "base", "model": "small", "seed": 0, "round": 1, "set": "one", "n": 80}
    figures = {"seed_right": 0.0, "right": 0.3, "gain": 0.3, "interval": (0.2, 0.4), "p": 1e-6}
    costs = {"kept": 300, "tokens": 2000, "prompt_tokens": 1000, "minutes": 12.5}
    words = {"takes_shared_words": (4, 5)}
    return (
        about | figures | costs | {"acc": 0.6, "longer": 0.5, "prefers_longer": 0.7} | words | what
    )


def pair(name: str, n: int, answer: str) -> dict[str, str]:
    """Return a labelled pair, two of whose prompt there are."""
    return {
        "id": f"{name}-{n}-{answer}",
        "subset": name,
        "prompt": f"{name}: question {n}",
        "chosen": f"good {answer}",
        "rejected": f"bad {answer}",
    }
