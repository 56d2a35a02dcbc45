"""The answer whether a judge can be trusted, in words and for scripts."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ste_plugin.audit.trust import Trust
from ste_plugin.errors import Inconclusive, NotTrusted


def lines_of(found: Trust) -> Iterator[str]:
    """Yield what is told before the answer; the answer, too, where the judge is trusted."""
    labelled = f"{found.labelled} pairs labelled by {found.labels_by}"
    yield f"{found.judge}: {found.which or labelled}"
    if found.which:
        yield labelled
    if found.chose_judge:
        yield f"  {found.chose_judge} of them are dev pairs, which chose a run's judge: left out"
    if found.not_judged:
        were = "was" if found.not_judged == 1 else "were"
        yield f"  {found.not_judged} of them {were} not shown to this judge: left out"
    if found.divided:
        divide = (
            "divides people, or is a tie" if found.divided == 1 else "divide people, or are ties"
        )
        yield f"  {found.divided} of them {divide}: nobody can be right about that"
    yield "  each prompt counts once, however many of its pairs are labelled"
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
    """Return what the answer was decided by, as one sentence or two."""
    of = f"{found.pairs} pairs of {found.prompts} prompts"
    looks = "if this is the only look" if found.one_look else "however often you look"
    if found.of_people is not None:
        return _beside_people(found, found.of_people, of, looks)
    low, high = (f"{100 * end:.1f}" for end in found.interval)
    return (
        f"right in both orders on {100 * found.figure:.1f}% [{low}, {high}] of {of} "
        f"({100 * found.threshold:g}% asked for; 95% interval, {looks})."
    )


def _beside_people(found: Trust, ratio: float, of: str, looks: str) -> str:
    judge, people = (100 * (rate.value or 0) for rate in (found.with_people, found.people))
    low, high = map(_points, found.interval)
    return (
        f"the judge agrees with a person on {judge:.1f}% of the pairs, two people with each other "
        f"on {people:.1f}%; {ratio:g} times as often, {ratio * people:.1f}%, is asked for. The "
        f"judge is {_points(found.figure)} that (95% interval: {low} to {high}, {looks}; {of})."
    )


def _points(distance: float) -> str:
    return f"{100 * abs(distance):.1f} points {'below' if distance < 0 else 'above'}"


def what_would_decide(found: Trust) -> str:
    """Return how many labels more would decide, as a sentence."""
    if found.more_prompts is None:
        return "So near to what is asked for, no number of labels can be told that would decide."
    pairs = "" if found.more_pairs == found.more_prompts else f" ({found.more_pairs:,} pairs)"
    return f"About {found.more_prompts:,} labelled prompts more{pairs} like these would decide."
