"""How the endpoint is asked and answers: vLLM 0.33's `/v1/decisions`, and 0.32's `/v1/systemone`.

Both render the same prompt of a choice question, once the values are written as JSON.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ste_plugin.engines.decisions.question import Question
from ste_plugin.engines.http.response import Reply, Said, UnreadableReply

_NAME = "verdict"
"""Of the one question of a request."""
_SUM_MAY_DIFFER = 1e-3
_HINT = "options.base_url must lead to a vLLM server of a version that this ste-plugin knows."


@dataclass(frozen=True, slots=True)
class Decided(Reply):
    """An answer in probabilities."""

    probabilities: tuple[float, ...] = ()
    """Of the options in their order; they add up to 1."""
    label_mass: float = 1.0
    """Share of the model's probability that all letters have together."""


@dataclass(frozen=True, slots=True)
class Form:
    """One version's endpoint."""

    path: str
    """Behind the base URL."""
    body: Callable[[str, Question], dict[str, Any]]
    """Model's name and question → the JSON of a request."""
    read: Callable[[Any, Question], tuple[dict[str, float], float]]
    """A response and its question → (value → probability, label mass)."""


def decisions_body(model: str, question: Question) -> dict[str, Any]:
    """Return the JSON that asks one question."""
    choices = [{"value": o.value, "description": o.description} for o in question.options]
    asked = {"type": "choice", "name": _NAME, "instructions": question.instructions}
    return {"model": model, "input": question.input, "questions": [asked | {"choices": choices}]}


def _read_decisions(response: Any, _question: Question) -> tuple[dict[str, float], float]:
    (answer,) = response["answers"]
    told = {each["value"]: float(each["probability"]) for each in answer["probabilities"]}
    # what it calls confidence is the share of the chosen letter in the whole vocabulary
    return told, float(answer["confidence"]) / max(told.values())


def systemone_body(model: str, question: Question) -> dict[str, Any]:
    """Return the same for the earlier form, which shows a value as it is given."""
    criteria = {option.shown: option.description or None for option in question.options}
    asked = {"type": "choice", "instructions": question.instructions, "criteria": criteria}
    return {"model": model, "state": question.input, "questions": {_NAME: asked}}


def _read_systemone(response: Any, question: Question) -> tuple[dict[str, float], float]:
    shown = response["answers"][_NAME]["probabilities"]
    told = {option.value: float(shown[option.shown]) for option in question.options}
    return told, float(response["diagnostics"][_NAME]["label_mass"])


FORMS = (
    Form("decisions", decisions_body, _read_decisions),
    Form("systemone", systemone_body, _read_systemone),
)
"""The newest first: the first that a server has is used."""


def read_decided(content: bytes, form: Form, question: Question) -> Decided:
    """Return what a response holds. Raises: UnreadableReply saying what is wrong with it."""
    try:
        response = json.loads(content)
        told, mass = form.read(response, question)
        probabilities = tuple(told[option.value] for option in question.options)
        usage: Mapping[str, Any] = response.get("usage") or {}
        read, written = (int(usage.get(f"{kind}_tokens") or 0) for kind in ("input", "output"))
        model = response.get("model")
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        shown = content[:600].decode("utf-8", "replace")
        raise UnreadableReply(f"the reply is no decision ({error!r}): {shown}", _HINT) from error
    in_range = all(0 <= p <= 1 for p in (*probabilities, mass - 1e-6))
    if not in_range or not math.isclose(sum(probabilities), 1, abs_tol=_SUM_MAY_DIFFER):
        raise UnreadableReply(
            f"the reply's probabilities are {probabilities}, with {mass} for all letters; expected "
            "some from 0 to 1 that add up to 1",
            _HINT,
        )
    said = (Said("", "stop"),)
    named = model if isinstance(model, str) else ""
    return Decided(
        said, read, written, named, probabilities=probabilities, label_mass=min(mass, 1.0)
    )
