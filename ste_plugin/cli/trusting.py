"""The options of `ste audit --labels`: can a judge be trusted, by what people say?"""

from pathlib import Path
from typing import Annotated, Any

import typer

from ste_plugin.cli.app import say, show
from ste_plugin.errors import ConfigError


def _by_labels(help_text: str, *names: str, **more: Any) -> Any:
    """Return an option of the answer by people's labels."""
    return typer.Option(*names, help=help_text, rich_help_panel="By people's labels", **more)


Labels = Annotated[
    Path | None, _by_labels("Pairs that people labelled, or labels of `ste review`.", "--labels")
]
AtLeast = Annotated[
    float | None,
    _by_labels("Share of pairs to be right about in both orders; by default 0.8.", "--at-least"),
]
OfPeople = Annotated[
    float | None,
    _by_labels(
        "Instead: its agreement with people as a share of theirs with each other, as 0.95.",
        "--of-people",
    ),
]
OneLook = Annotated[
    bool,
    _by_labels("These labels are looked at this once: a narrower interval.", "--one-look"),
]


def audit_by_labels(
    judge: Path,
    iteration: int | None,
    labels: Path | None,
    at_least: float | None,
    of_people: float | None,
    one_look: bool,
    *,
    leave_out: list[str] | None,
    as_json: bool,
) -> bool:
    """Print whether a judge is trusted, and end with its exit code; False without labels.

    Raises: ConfigError for options that do not go together.
    """
    if labels is None:
        _refuse_alone(at_least, of_people, one_look)
        return False
    if leave_out:
        raise ConfigError(
            "ste audit: found --labels and --only; expected one of them: labels answer a question "
            "of their own."
        )
    from ste_plugin.audit import trust, trust_words
    from ste_plugin.audit.judge_words import folder_of

    found = trust.trust(
        folder_of(judge, iteration),
        labels,
        _criterion(at_least, of_people, one_look),
    )
    if as_json:
        show(trust_words.to_json(found))
    else:
        for line in trust_words.lines_of(found):
            say(line)
    trust_words.conclude(found)
    return True


def _refuse_alone(at_least: float | None, of_people: float | None, one_look: bool) -> None:
    """Raise ConfigError for an option that says something about labels, where there are none."""
    options = {"--at-least": at_least, "--of-people": of_people, "--one-look": one_look or None}
    if given := [name for name, value in options.items() if value is not None]:
        raise ConfigError(f"ste audit: found {given[0]} without --labels. Give the labels, too.")


def _criterion(at_least: float | None, of_people: float | None, one_look: bool) -> Any:
    from ste_plugin.audit.trust import AT_LEAST, Criterion

    if at_least is not None and of_people is not None:
        raise ConfigError("ste audit: found --at-least and --of-people; expected one of them.")
    for name, share in (("--at-least", at_least), ("--of-people", of_people)):
        if share is not None and not 0 < share < 1 + (name == "--of-people"):
            raise ConfigError(
                f"ste audit: {name} {share:g}; expected a share such as 0.8 (80%), below "
                f"{2 if name == '--of-people' else 1}."
            )
    return Criterion(AT_LEAST if at_least is None else at_least, of_people, one_look)
