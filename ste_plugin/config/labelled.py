"""Settings of a file of labelled pairs."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ste_plugin.config.base import PathText, Strict


def _as_texts(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    if found := [label for label in given if isinstance(label, bool)]:
        words = "yes, on and true" if found[0] else "no, off and false"
        raise ValueError(
            f"found {str(found[0]).lower()}, which YAML makes of {words} without quotes; expected "
            "labels as the file writes them. Put them in quotes, as {'yes': A, 'no': B}; those of "
            "JSON's true and false are 'True' and 'False'"
        )
    return {str(label): side for label, side in given.items()}


Labels = Annotated[dict[str, Literal["A", "B", "tie"]], BeforeValidator(_as_texts)]


class LabelledFile(Strict):
    """A file of labelled pairs, and how its rows are read."""

    path: PathText = Field(examples=["labelled.jsonl"])
    """A file, a folder or a pattern, relative to the config. The shape of its rows is told by their
    columns."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Column of the shape → the file's, where they differ, as {prompt: question, chosen: good}."""
    labels: Labels = Field(default_factory=dict, examples=[{"1": "A", "2": "B"}])
    """What the file writes for a label → A, B or tie, where it has words or numbers of its own."""
    lists: Literal["best_worst", "all"] = "best_worst"
    """Which pairs are made of a row that ranks several responses: the best with the worst, or
    all."""
    bad_rows: Literal["refuse", "drop"] = "refuse"
    """What to do about a row that is no pair. `drop` leaves it out and counts it."""


class MeasuredFile(LabelledFile):
    """A file of labelled pairs to measure on."""

    keep_out: bool = True
    """Whether no instruction may repeat its prompts. `false` only where these are held out of the
    training already, as those of a run on the same instructions with the same seed."""


def _with_path(given: Any) -> Any:
    return {"path": given} if isinstance(given, str) else given


PathOrFile = Annotated[LabelledFile, BeforeValidator(_with_path)]
"""A file as its path alone, or with how it is read."""

PathOrMeasured = Annotated[MeasuredFile, BeforeValidator(_with_path)]
"""The same of a file to measure on."""
