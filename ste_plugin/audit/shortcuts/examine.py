"""Text-blind classifiers on a sample of pairs, and what they found, in words and with a cure."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import sparse

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.shortcuts.answers import answers_of
from ste_plugin.audit.shortcuts.area import Area, Integers, area_of
from ste_plugin.audit.shortcuts.classifiers import (
    Differences,
    differences_of,
    out_of_fold_scores,
    strongest_words,
)
from ste_plugin.audit.shortcuts.giveaways import Giveaway, Signs, find_giveaways, signs_of
from ste_plugin.audit.shortcuts.sample import PairSample
from ste_plugin.config import RunConfig
from ste_plugin.dataset.matching import counterparts, log_ratio
from ste_plugin.records import ResponsePair

LEAST_INSTRUCTIONS = 40
"""With fewer there is no figure: its interval would be wider than from chance to the threshold."""
FORM, WORDS, ALL = "length and format", "words", "length, format and words"
_MOSTLY = 0.7
_MOST_TOLD, _MOST_STRONG = 4, 6
"""Signs in a finding's words, and words that a classifier goes by most."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found of one subject's pairs."""

    pairs: int
    total: int
    """Of how many in the run they are a sample."""
    instructions: int
    areas: dict[str, Area]
    """By what the classifier saw; empty where there are too few instructions."""
    longer: float
    """Share of the pairs whose better answer is the longer one."""
    shorter: float
    length: Area | None
    """Of the ratio of lengths alone, taken as it is: below 0.5 the shorter answer is better."""
    matched: int
    """Pairs that `dataset.match: [length]` would leave."""
    giveaways: list[Giveaway]
    strongest: list[tuple[str, bool]]
    """Words that the classifier goes by most, and whether they are a sign of the better answer."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {
            "areas": {name: area._asdict() for name, area in self.areas.items()},
            "length": self.length and self.length._asdict(),
        }


def examine(sample: PairSample, subjects: Sequence[str]) -> dict[str, Examined]:
    """Return what was found of each subject: a strategy's name, or any other for all pairs."""
    pairs = sample.pairs
    answers = answers_of(pairs)
    differences, signs = differences_of(answers), signs_of(answers)
    found = {}
    for subject in subjects:
        of_all = subject not in sample.strategies
        rows = np.array([n for n, p in enumerate(pairs) if of_all or p.strategy == subject])
        share = sample.total / len(pairs)
        found[subject] = _examine(pairs, rows, differences.of(rows), signs, share)
    return found


def _examine(
    pairs: Sequence[ResponsePair],
    rows: Integers,
    differences: Differences,
    signs: Signs,
    share: float,
) -> Examined:
    groups = differences.groups
    instructions = int(groups.max()) + 1
    enough = instructions >= LEAST_INSTRUCTIONS
    ratios = {pairs[n].key: log_ratio(pairs[n]) for n in rows}
    leaning = np.fromiter(ratios.values(), float)
    return Examined(
        pairs=len(rows),
        total=round(len(rows) * share),
        instructions=instructions,
        areas=_areas(differences) if enough else {},
        longer=float(np.mean(leaning > 0)),
        shorter=float(np.mean(leaning < 0)),
        length=area_of(leaning, groups, are_fitted=False) if enough else None,
        matched=len(list(counterparts(ratios, seed=0))),
        giveaways=find_giveaways(signs, rows, groups) if enough else [],
        strongest=strongest_words(differences, _MOST_STRONG) if enough else [],
    )


def _areas(of: Differences) -> dict[str, Area]:
    both = sparse.hstack([of.form, of.words]).tocsr()
    seen = {FORM: of.form, WORDS: of.words, ALL: both}
    return {
        name: area_of(out_of_fold_scores(features, of), of.groups)
        for name, features in seen.items()
    }


def findings_of(
    subject: str, examined: Examined, config: RunConfig, *, told_why: str | None
) -> Iterator[Finding]:
    """Yield a finding per classifier. `told_why`: why they are held to no threshold, or None."""
    is_told, threshold = told_why is not None, config.audit.shortcuts
    if not examined.areas:
        yield _undecided(subject, examined)
    for name, area in examined.areas.items():
        failed = not is_told and area.interval[0] > threshold
        yield Finding(
            check="shortcuts",
            name=name,
            subject=subject,
            figure=area.auc,
            interval=area.interval,
            threshold=None if is_told else threshold,
            n=examined.pairs,
            failed=failed,
            words=" ".join(
                [*_sentences(name, examined, None if is_told else threshold), told_why or ""]
            ).strip(),
            cure=_cure(name, examined, config) if failed else "",
        )


def _undecided(subject: str, examined: Examined) -> Finding:
    return Finding(
        check="shortcuts",
        name=ALL,
        subject=subject,
        figure=None,
        interval=None,
        threshold=None,
        n=examined.pairs,
        failed=False,
        words=f"Pairs of {examined.instructions} instructions: at least {LEAST_INSTRUCTIONS} are "
        "needed to say anything.",
    )


def _sentences(name: str, examined: Examined, threshold: float | None) -> Iterator[str]:
    area = examined.areas[name]
    signs = "; ".join(_signs(name, examined))
    yield (
        f"{name.capitalize()} tell the better answer in {area.told:.0%} of pairs without the "
        f"question (AUC {area.auc:.2f}){': it ' if signs else ''}{signs}."
    )
    if name == WORDS and area.interval[0] > 0.5:
        yield from _strongest(examined)
    if threshold is not None and area.interval[0] <= threshold < area.auc:
        yield f"Too few pairs to be sure that this is above {threshold:g}."
    if examined.pairs < examined.total:
        yield f"A sample of {examined.pairs:,} of {examined.total:,} pairs."


def _signs(name: str, examined: Examined) -> Iterator[str]:
    """Yield what gives the better answer away, in words about `it`; its length in any case."""
    if name == ALL:
        return
    length = f"is longer in {examined.longer:.0%} (shorter in {examined.shorter:.0%})"
    if name == FORM:
        yield length
    wanted = [g for g in examined.giveaways if g.is_form == (name == FORM)]
    yield from [told for g in wanted if (told := g.describe()) != length][:_MOST_TOLD]


def _strongest(examined: Examined) -> Iterator[str]:
    """Yield what a classifier of words goes by most."""
    for kind, is_better in (("better", True), ("worse", False)):
        if words := [word for word, better in examined.strongest if better == is_better]:
            yield f"Most typical of the {kind} one: {', '.join(words)}."


def _cure(name: str, examined: Examined, config: RunConfig) -> str:
    if name != WORDS and _is_length(examined) and "length" not in config.dataset.match:
        return (
            f"Set dataset.match: [length], which keeps {examined.matched:,} of these "
            f"{examined.pairs:,} pairs; then redo: ste run CONFIG --from generate."
        )
    return (
        "Have both answers written alike: another of pairs.strategies, a stronger generator, or "
        "pairs.system; then redo: ste run CONFIG --from pool."
    )


def _is_length(examined: Examined) -> bool:
    """Return whether most of what length and format tell is told by length alone."""
    form = examined.areas[FORM].auc - 0.5
    return examined.length is not None and abs(examined.length.auc - 0.5) > _MOSTLY * form
