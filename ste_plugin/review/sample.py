"""Which pairs and judgments are shown: drawn by strata, the same for all raters, kept in a file.

Of each strategy as many are drawn, and within a strategy each stratum gives its share. So the plain
share of a strategy's drawn pairs estimates that of all its pairs, without weights, and however
early a rater stops. They are shown in the order of drawing: two raters who label a few each have
labelled the same ones, and a larger sample begins with the smaller one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from math import sqrt
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from ste_plugin.config import RunConfig
from ste_plugin.errors import DataError
from ste_plugin.records import Judgment, Record, ResponsePair, Split, content_key
from ste_plugin.review.labels import Kind
from ste_plugin.review.population import Candidate, candidates
from ste_plugin.storage.durable import make_folder
from ste_plugin.storage.jsonl import iter_records, parse_record, read_records, replace_records
from ste_plugin.storage.line_reader import LineReader
from ste_plugin.storage.run_layout import RunLayout

NUMBER = 100
"""How many are drawn unless it is said."""
_SECONDS_EACH = 5
_WORDS_PER_MINUTE = 400
"""Of a person who compares two answers rather than studies them."""


class Drawn(Record, frozen=True, omit_defaults=True):
    """A pair or judgment that was drawn, and what the judge had made of it then."""

    kind: Kind
    """`pair` or `judgment`."""
    pair_key: str
    """Which pair it is, or is about."""
    strategy: str
    """The pair's."""
    right: bool | None
    """Whether the judge preferred the better answer (more often than not, of a pair); null where it
    was not asked."""
    sure: bool | None
    """Whether it said the same of the pair every time, in both orders."""
    judgment_key: str = ""
    """Which judgment; empty for a pair."""


class Item(NamedTuple):
    """What is shown to a rater."""

    drawn: Drawn
    pair: ResponsePair
    judgment: Judgment | None = None

    @property
    def key(self) -> str:
        """The judgment's key, or that of the pair."""
        return self.drawn.judgment_key or self.drawn.pair_key

    @property
    def words(self) -> int:
        """How long it is."""
        said = self.judgment.reply if self.judgment else ""
        texts = (self.pair.instruction, self.pair.better, self.pair.worse, said)
        return sum(len(text.split()) for text in texts)


class Share(NamedTuple):
    """How much of one strategy was drawn."""

    strategy: str
    there: int
    """Pairs of it in the splits, or with judgments, that can be drawn."""
    drawn: int
    low: float
    """The 95% interval of a share, if 90% of those drawn are found good."""
    high: float
    widest: float
    """Half its width at most, which it has at 50%."""


class Sample(NamedTuple):
    """What was drawn, in the order in which it is shown."""

    items: list[Item]
    shares: list[Share]

    @property
    def minutes(self) -> int:
        """About how long it takes."""
        words = sum(item.words for item in self.items)
        return round(words / _WORDS_PER_MINUTE + len(self.items) * _SECONDS_EACH / 60) or 1


def draw_sample(
    folder: RunLayout,
    config: RunConfig,
    kind: Kind,
    splits: tuple[Split, ...],
    number: int | None = None,
) -> Sample:
    """Return the sample of a run, drawn now as far as its file does not have it.

    What was drawn is shown, whatever was judged since; what was forgotten is left out. By default
    it is what was drawn before, or `NUMBER`.
    Raises: DataError where there is nothing to draw.
    """
    there = candidates(folder, config, kind, splits)
    if not there:
        raise DataError(_nothing(folder, kind, splits))
    make_folder(folder.review)
    with FileLock(folder.review / "sample.lock"):
        before = read_sample(folder)
        by_key = {candidate.key: candidate for candidate in there}
        drawn = [d for d in before if d.kind == kind and (d.judgment_key or d.pair_key) in by_key]
        wanted = number or len(drawn) or NUMBER
        known = {d.judgment_key or d.pair_key for d in drawn}
        fresh = [c for c in drawing_order(there, config.seed) if c.key not in known]
        new = [_drawn(kind, c) for c in fresh[: max(0, wanted - len(drawn))]]
        if new:
            replace_records(sample_path(folder), [*before, *new])
    items = list(_read_items(folder, [*drawn, *new][:wanted], by_key))
    return Sample(items, shares(there, items))


def sample_path(folder: RunLayout) -> Path:
    """Return the file of what was drawn."""
    return folder.review / "sample.jsonl"


def read_sample(folder: RunLayout) -> list[Drawn]:
    """Return what was drawn of a run so far, pairs and judgments."""
    path = sample_path(folder)
    return read_records(path, Drawn) if path.exists() else []


def keys_of(folder: RunLayout, kind: Kind) -> dict[str, str]:
    """Return the key of each item that a label may be about → its pair's.

    These are all pairs of the run, and of its judgments those that were drawn.
    """
    if kind == "pair":
        pairs = iter_records(folder.pool / "pairs.jsonl", ResponsePair)
        return {pair.key: pair.key for pair in pairs}
    return {d.judgment_key: d.pair_key for d in read_sample(folder) if d.kind == kind}


def _drawn(kind: Kind, candidate: Candidate) -> Drawn:
    judgment = candidate.key if kind == "judgment" else ""
    return Drawn(kind, candidate.pair_key, *candidate.stratum, judgment)


def drawing_order(there: Iterable[Candidate], seed: int) -> list[Candidate]:
    """Return the candidates so that however many come first, strategies and strata have a share.

    Within a stratum they are in random order. Those of a strategy are spread by strata (systematic
    sampling with a random start), and one of each strategy comes in turn, in random order.
    """
    strata = defaultdict(list)
    for candidate in there:
        strata[candidate.stratum].append((content_key("draw", seed, candidate.key), candidate))
    strategies = defaultdict(list)
    for stratum, members in strata.items():
        start = _uniform("stratum", seed, list(stratum))
        for rank, (mixed, candidate) in enumerate(sorted(members, key=lambda m: m[0])):
            place = (rank + start) / len(members)
            strategies[stratum.strategy].append((place, mixed, candidate))
    turns = [
        (turn, mixed, candidate)
        for members in strategies.values()
        for turn, (_, mixed, candidate) in enumerate(sorted(members, key=lambda m: m[:2]))
    ]
    return [candidate for _, _, candidate in sorted(turns, key=lambda m: m[:2])]


def _uniform(*parts: object) -> float:
    return int(content_key(*parts), 16) / 16**16


def shares(there: Iterable[Candidate], items: Sequence[Item]) -> list[Share]:
    """Return how much of each strategy was drawn, and the interval that it buys."""
    in_all = Counter(candidate.stratum.strategy for candidate in there)
    drawn = Counter(item.drawn.strategy for item in items)
    return [
        Share(name, in_all[name], drawn[name], *interval(0.9, drawn[name]), _widest(drawn[name]))
        for name in sorted(in_all)
    ]


def _widest(n: int) -> float:
    low, high = interval(0.5, n)
    return (high - low) / 2


def interval(share: float, n: int) -> tuple[float, float]:
    """Return the 95% interval of a share that n labels found; without labels it is 0 to 1.

    Source: Wilson 1927.
    """
    z = 1.959964
    if not n:
        return 0.0, 1.0
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def _read_items(
    folder: RunLayout, drawn: Sequence[Drawn], by_key: dict[str, Candidate]
) -> Iterable[Item]:
    wanted = {d.pair_key for d in drawn}
    path = folder.pool / "pairs.jsonl"
    pairs = {p.key: p for p in iter_records(path, ResponsePair) if p.key in wanted}
    readers: dict[Path, LineReader] = {}
    for d in drawn:
        judgment = None
        if d.judgment_key:
            place = by_key[d.judgment_key]
            lines = readers.setdefault(place.path, LineReader(place.path))
            judgment = parse_record(Judgment, place.path, 0, lines.read(place.start))
        yield Item(d, pairs[d.pair_key], judgment)


def _nothing(folder: RunLayout, kind: Kind, splits: Sequence[Split]) -> str:
    if kind == "pair":
        return (
            f"{folder.root}: no pairs in {' and '.join(splits)}. Give another --split, or none: "
            "then it is the held-out pairs, or train where none are held out."
        )
    return (
        f"{folder.root}: no judgments with reasoning. Those of the format `verdict` "
        "have none; others come with `ste run`, once it has judged the pairs."
    )
