"""Where a run's pairs came from, and which judgments its judge learnt, in words."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from ste_plugin.report.cost_section import value_at
from ste_plugin.report.read_run import Round, RunFigures
from ste_plugin.sampling.stopping_rules import CONSTRUCTED

NOT_MADE = "nobody: all pairs were given with their labels"
"""Who writes the answers where no strategy makes a pair."""


def given_in_words(run: RunFigures) -> str:
    """Return how many labelled pairs were given, in which files; empty where the config names none.

    Files are told without their folders, as the words are for strangers, too.
    """
    files = ", ".join(PurePath(given.path).name for given in run.config.pairs.given)
    if not files:
        return ""
    total = sum(run.given.values())
    return f"{total:,} labelled pair{'' if total == 1 else 's'} of {files}{_by_split(run.given)}"


def _by_split(counts: Mapping[str, int]) -> str:
    return f" ({splits_in_words(counts)})" if counts else ""


def splits_in_words(counts: Mapping[str, int]) -> str:
    """Return counts by split, as `28 train, 4 dev`."""
    return ", ".join(f"{n:,} {split}" for split, n in counts.items())


def pool_in_words(run: RunFigures) -> str:
    """Return which pairs there are, and whether they were made or given."""
    if not run.pool:
        return "No pairs are made yet."
    pairs, given = splits_in_words(run.pool.get("pairs", {})), given_in_words(run)
    apart = "No two splits share an instruction."
    if given and not run.config.pairs.strategies:
        return f"No pair was made: there are {given}, and their labels say what is better. {apart}"
    told = (
        f"{run.pool.get('instructions', 0):,} instructions were chosen; better and worse answers "
    )
    if not given:
        return f"{told}to them make these pairs: {pairs}. {apart}"
    return (
        f"{told}to them, and {given}, make these pairs: {pairs}. {apart} Of the labelled ones it "
        "is their labels that say which answer is better."
    )


def is_constructed(manifest: Mapping[str, Any]) -> bool:
    """Return whether a data set's right replies were constructed, rather than drawn."""
    return bool(value_at(manifest, ("settings", "judging", "sampling")) == CONSTRUCTED)


def learnt_in_words(rounds: Iterable[Round]) -> str:
    """Return whose judgments some rounds learnt, as the end of a sentence on their pairs."""
    drawn = "the judge's own judgments of them were sampled, and those that were right learnt"
    letter = (
        "the letter of the better answer was learnt, whatever the judge said of the pair: what is "
        "learnt was constructed, not sampled"
    )
    kinds = {is_constructed(manifest) for r in rounds for manifest in r.manifests}
    if kinds == {True}:
        return letter
    return f"in some stages {letter}; in others {drawn}" if True in kinds else drawn


def constructed_stages(run: RunFigures) -> str:
    """Return a sentence on the data sets whose judgments were constructed; empty without any."""
    told = [_stages(r) for r in run.rounds if any(map(is_constructed, r.manifests))]
    if not told:
        return ""
    return (
        f"Judgments that were learnt were constructed in {', '.join(told)}: the letter of the "
        "better answer, whatever the judge said. One was sampled of each pair and order, which "
        "tells how good the judge is."
    )


def _stages(r: Round) -> str:
    """Return a round's name, with those of its stages that it is about where these are not all."""
    found: Sequence[int] = [
        number for number, manifest in enumerate(r.manifests, start=1) if is_constructed(manifest)
    ]
    if len(found) == len(r.manifests):
        return r.name
    return f"{r.name} (stage {', '.join(map(str, found))})"
