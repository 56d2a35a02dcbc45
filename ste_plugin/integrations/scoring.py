"""The one way from a judge's comparisons to scores of answers, for every host."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import fsum
from typing import Literal, NamedTuple, Protocol, get_args

from ste_plugin.errors import ConfigError, DataError, nearest_or
from ste_plugin.integrations.texts import prompt_key
from ste_plugin.judge.comparison import Comparison
from ste_plugin.judge.silence import is_unread
from ste_plugin.judge.texts import Pair, Prompt

By = Literal["verdict", "probability"]
BY: tuple[By, ...] = get_args(By)
OPPONENTS = 4
"""How many others of its group an answer meets: docs/decisions/integrations.md."""
DRAW, WON, LOST = 0.5, 1.0, 0.0


class Comparer(Protocol):
    """What compares pairs of answers, as `ste_plugin.Judge` does."""

    def compare_many(self, pairs: Iterable[Pair]) -> list[Comparison]:
        """Return a comparison per pair `(prompt, a, b)`, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of a batch's comparisons."""

    compared: int
    """Pairs, those included that could not be compared."""
    abstained: int
    """Pairs without a winner."""
    silent: int
    """Pairs whose verdict could not be read in one of the orders, or not be asked for."""
    problems: tuple[str, ...]
    """Why pairs could not be compared, once per pair."""
    longer_won: int
    shorter_won: int

    @property
    def abstained_share(self) -> float:
        """From 0 to 1; 0 where nothing was compared."""
        return self.abstained / max(1, self.compared)

    @property
    def lean_to_longer(self) -> float:
        """Share of pairs that the longer answer won, less that of the shorter: from -1 to 1."""
        return (self.longer_won - self.shorter_won) / max(1, self.compared)


class Scores(NamedTuple):
    """Scores of answers, in their order, and what became of the comparisons behind them."""

    values: list[float]
    """From 0 to 1 each: the share of its pairs that an answer won, a draw counting half."""
    tally: Tally
    compared: list[Comparison]
    """What the judge said, pair by pair."""


class _Entry(NamedTuple):
    """An answer, or several with one text, among those that it is compared with."""

    group: str
    answer: str


_NOBODY = _Entry("", "")
"""Whom a reference's points go to."""


class _Match(NamedTuple):
    pair: Pair
    first: _Entry
    second: _Entry


def score_of(comparison: Comparison, by: By = "verdict") -> float:
    """Return what A earns: 1 for winning, 0 for losing, 0.5 where the judge does not say.

    `by`: `verdict`, which holds in both orders, or `probability`, the mean over both.
    """
    if by == "probability":
        return DRAW if comparison.probability is None else comparison.probability
    return {"A": WON, "B": LOST}.get(comparison.verdict or "", DRAW)


def score_answers(
    judge: Comparer,
    prompts: Sequence[Prompt],
    answers: Sequence[str],
    references: Sequence[str] | None = None,
    *,
    opponents: int = OPPONENTS,
    by: By = "verdict",
) -> Scores:
    """Return how often each answer wins, with one call of the judge for all of them.

    With `references`, one per answer, each is compared with its own. Without, those to the same
    prompt are compared with each other: each with about `opponents` of them (an odd number is
    rounded up), or with all where there are no more. The same text earns the same. An empty
    answer loses without being shown. A pair that cannot be compared, as one too long, is a draw.
    Raises: DataError where there is nothing to compare an answer with; EngineError where the
    judge's model or server cannot answer.
    """
    by = checked_by(by)
    if references is None:
        entries = [_Entry(prompt_key(p), a) for p, a in zip(prompts, answers, strict=True)]
        earned, matches = _in_groups(entries, prompts, checked_opponents(opponents))
    else:
        entries = _beside(prompts, answers, references)
        earned, matches = _against(entries, prompts, references)
    compared = judge.compare_many([match.pair for match in matches])
    for match, comparison in zip(matches, compared, strict=True):
        score = score_of(comparison, by)
        earned[match.first].append(score)
        earned[match.second].append(1 - score)
    values = [fsum(points) / len(points) if (points := earned[e]) else DRAW for e in entries]
    return Scores(values, _tally(matches, compared), compared)


def checked_by(by: str) -> By:
    """Return what scores are made of. Raises: ConfigError for what is none of `BY`."""
    for known in BY:
        if known == by:
            return known
    cure = nearest_or(f"expected {' or '.join(BY)}.", by, BY)
    raise ConfigError(f"by: found {by!r}; {cure}")


def checked_opponents(opponents: int) -> int:
    """Return how many others an answer meets. Raises: ConfigError below 1."""
    if not isinstance(opponents, int) or opponents < 1:
        raise ConfigError(f"opponents: found {opponents!r}; expected 1 or more.")
    return opponents


Earned = defaultdict[_Entry, list[float]]


def _in_groups(
    entries: Sequence[_Entry], prompts: Sequence[Prompt], opponents: int
) -> tuple[Earned, list[_Match]]:
    """Return who meets whom among answers to the same prompt, and what is won without a judge."""
    earned: Earned = defaultdict(list)
    matches = []
    groups: dict[str, list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        groups[entry.group].append(index)
    for indexes in groups.values():
        prompt = prompts[indexes[0]]
        if len(indexes) == 1:
            raise DataError(_alone(prompt, len(entries)))
        met = list(dict.fromkeys(entries[index] for index in indexes))
        said = [entry for entry in met if entry.answer]
        for entry in met:
            if len(said) < len(met):  # the empty text is one more opponent, which loses
                earned[entry].append(WON if entry.answer else LOST)
        for i, j in meetings(len(said), opponents):
            pair = (prompt, said[i].answer, said[j].answer)
            matches.append(_Match(pair, said[i], said[j]))
    return earned, matches


def meetings(count: int, opponents: int) -> Iterator[tuple[int, int]]:
    """Yield who meets whom of `count`: each equally many, all of them reachable from each other.

    >>> list(meetings(5, 2))
    [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]
    """
    if count - 1 <= opponents:
        yield from combinations(range(count), 2)
        return
    for step in range(1, (opponents + 1) // 2 + 1):
        yield from ((i, (i + step) % count) for i in range(count))


def _beside(
    prompts: Sequence[Prompt], answers: Sequence[str], references: Sequence[str]
) -> list[_Entry]:
    """Return the answers, told apart by prompt and reference.

    Raises: DataError for an empty reference.
    """
    rows = list(zip(prompts, answers, references, strict=True))
    for number, (prompt, _, reference) in enumerate(rows, start=1):
        if not reference:
            raise DataError(
                f"reference {number} of {len(rows)}, to {_shown(prompt)}: empty; expected the "
                "answer to compare with. Leave such rows out."
            )
    return [_Entry(f"{prompt_key(p)}\0{reference}", answer) for p, answer, reference in rows]


def _against(
    entries: Sequence[_Entry], prompts: Sequence[Prompt], references: Sequence[str]
) -> tuple[Earned, list[_Match]]:
    """Return each answer's match with its reference, once per text; an empty one has lost."""
    earned: Earned = defaultdict(list)
    matches: dict[_Entry, _Match] = {}
    for entry, prompt, reference in zip(entries, prompts, references, strict=True):
        if not entry.answer:
            earned[entry] = [LOST]
        else:
            pair = (prompt, entry.answer, reference)
            matches[entry] = _Match(pair, entry, _NOBODY)
    return earned, list(matches.values())


def _alone(prompt: Prompt, count: int) -> str:
    return (
        f"one answer to {_shown(prompt)} among {count}, so that there is nothing to compare it "
        "with. Let each process see whole groups (per-device batch size times accumulation steps "
        "a multiple of the generations per prompt, of which there are at least 2, in evaluation, "
        "too), or compare with a reference."
    )


def _shown(prompt: Prompt) -> str:
    text = prompt if isinstance(prompt, str) else str(prompt[-1]["content"])
    return repr(text if len(text) <= 60 else f"{text[:59]}…")


def _tally(matches: Sequence[_Match], compared: Sequence[Comparison]) -> Tally:
    longer, shorter = 0, 0
    for match, comparison in zip(matches, compared, strict=True):
        a, b = match.pair[1], match.pair[2]
        winner, loser = (a, b) if comparison.verdict == "A" else (b, a)
        if comparison.verdict:
            longer += len(winner) > len(loser)
            shorter += len(winner) < len(loser)
    return Tally(
        compared=len(compared),
        abstained=sum(c.verdict is None for c in compared),
        silent=sum(map(is_unread, compared)),
        problems=tuple(c.problem for c in compared if c.problem),
        longer_won=longer,
        shorter_won=shorter,
    )
