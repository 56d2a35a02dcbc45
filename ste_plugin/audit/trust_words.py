"""The answer whether a judge can be trusted, in words and for scripts."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ste_plugin.audit.trust import Trust
from ste_plugin.errors import Inconclusive, NotTrusted


def lines_of(found: Trust) -> Iterator[str]:
    """Yield what is told before the answer; the answer, too, where the judge is trusted."""
    yield f"{found.judge}: {found.labelled} pairs labelled by people"
    for count, what in (
        (found.not_judged, "were not shown to this judge: left out"),
        (found.divided, "divide people, or are ties: nobody can be right about them"),
    ):
        if count:
            yield f"  {count} of them {what}"
    if found.people.value is not None:
        low, high = found.people.interval or (0.0, 1.0)
        yield (
            f"  two people say the same of {100 * found.people.value:.1f}% of the pairs "
            f"[{100 * low:.1f}, {100 * high:.1f}]"
        )
        if found.measure == "right" and found.threshold > found.people.value:
            yield "  that is less than is asked of the judge; --of-people asks it for as much"
    if found.answer == "TRUSTED":
        yield f"{found.answer}: {why(found)}"


def to_json(found: Trust) -> dict[str, Any]:
    """Return an answer for scripts."""
    builtins: dict[str, Any] = msgspec.to_builtins(found)
    return builtins | {"exit_code": found.exit_code}


def conclude(found: Trust) -> None:
    """Raise NotTrusted or Inconclusive, with the answer in words."""
    if found.answer == "NOT TRUSTED":
        raise NotTrusted(f"{found.answer}: {why(found)}")
    if found.answer == "INCONCLUSIVE":
        raise Inconclusive(f"{found.answer}: {why(found)} {what_would_decide(found)}")


def why(found: Trust) -> str:
    """Return what the answer was decided by, as a sentence."""
    low, high = (f"{100 * end:.1f}" for end in found.interval)
    of = f"{found.pairs} pairs of {found.prompts} prompts"
    looks = "if this is the only look" if found.one_look else "however often you look"
    if found.measure == "right":
        figure = f"right in both orders on {100 * found.figure:.1f}%"
        asked = f"{100 * found.threshold:g}% asked for"
    else:
        judge, people = (100 * (rate.value or 0) for rate in (found.with_people, found.people))
        figure = (
            f"says what a person says of {judge:.1f}% of the pairs, two people the same of "
            f"{people:.1f}%: {100 * found.figure:+.1f} points from what is asked for"
        )
        asked = "0 or more asked for"
    return f"{figure} [{low}, {high}] of {of} ({asked}; 95% interval, {looks})."


def what_would_decide(found: Trust) -> str:
    """Return how many labels more would decide, as a sentence."""
    if found.more_prompts is None:
        return "So near to what is asked for, no number of labels can be told that would decide."
    pairs = "" if found.more_pairs == found.more_prompts else f" ({found.more_pairs:,} pairs)"
    return f"About {found.more_prompts:,} labelled prompts more{pairs} like these would decide."
