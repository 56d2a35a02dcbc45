"""What an iteration's judge said when training judgments were sampled, read in bounded memory.

Only the first sample of each question is looked at (the second where that was wrong): whether there
are further ones depends on what these said, so that a share of all samples would be biased.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from itertools import groupby
from pathlib import Path
from zlib import crc32

from ste_plugin.audit.jackknife import GroupedSums, Sums, share_of
from ste_plugin.audit.variety import words_of
from ste_plugin.records import Judgment
from ste_plugin.sampling.pass_rates import PassRate
from ste_plugin.storage.jsonl import iter_records, read_json
from ste_plugin.storage.run_layout import RunLayout

WIDTH = 7
TEXTS, TEXT_CHARS = 1000, 8000
"""Judgments whose words are kept: the same questions in every iteration."""


LETTER_A, FORCED, RIGHT = share_of(0, 1), share_of(2, 3), share_of(4, 3)


def at_the_ends(sums: Sums) -> float | None:
    """Return how far pass rates lie at 0 and 1: their variance as a share of the most it can be.

    1 where each question is judged the same way every time, 0 where all have the same rate. With m
    the mean rate, the rates' variance is m(1 - m) less the mean of p(1 - p), which is the chance
    that a first sample is wrong and a second right: every rule of stopping draws both.
    None where all are right, or none is.
    """
    tasks, right, second = sums[3], sums[4], sums[5]
    if tasks <= 0 or not 0 < right < tasks:
        return None
    mean = right / tasks
    return 1 - (second / tasks) / (mean * (1 - mean))


def first_wrong(sums: Sums) -> float:
    """Return how many questions were first judged wrong: a second sample of these tells."""
    return sums[3] - sums[4]


@dataclass
class Round:
    """The sampled judgments of one stage of one iteration."""

    iteration: int
    stage: int
    judged_by: int | None
    """The iteration whose judge it was; 0 is the seed, None not known."""
    samples: int
    """Most samples of a question, as far as the manifest says; else 0."""
    temperature: float
    sums: GroupedSums = field(default_factory=lambda: GroupedSums(WIDTH))
    """By pair: first samples with letter A, with a letter, forced; questions; first right; second
    right where the first was wrong; first samples in words of its own."""
    texts: dict[str, str] = field(default_factory=dict)
    """`PAIR:ORDER` → first sample, in words of its own with a verdict."""
    never_right: int = 0
    """Questions that no sample answered right, though as many as allowed were drawn."""

    @property
    def questions(self) -> int:
        """Pairs times orders."""
        return int(self.sums.total()[3])

    @property
    def trained(self) -> bool:
        """Whether a judge of this run judged, rather than the seed."""
        return self.stage > 1 or bool(self.judged_by)


def read_rounds(folder: RunLayout, iteration: int, stages: int) -> list[Round]:
    """Return the stages of an iteration whose judgments are there; a plugin's own may have none."""
    folders = ((stage, folder.iteration(iteration, stage)) for stage in range(1, stages + 1))
    return [
        read_round(place, iteration, stage)
        for stage, place in folders
        if (place / "judgments.jsonl").is_file() and iteration
    ]


def read_round(folder: Path, iteration: int, stage: int) -> Round:
    """Return what the judge of a stage said."""
    path = folder / "dataset" / "manifest.json"
    manifest = read_json(path) if path.is_file() else {}
    judging = manifest.get("settings", {}).get("judging", {})
    judged_by = manifest.get("judged_by", {}).get("iteration", iteration - 1)
    found = Round(
        iteration, stage, judged_by, judging.get("samples", 0), judging.get("temperature", 1.0)
    )
    kept = _Kept()
    for samples in _by_question(folder / "judgments.jsonl"):
        _add(found, samples, kept)
    found.texts = kept.texts()
    if (folder / "pass_rates.jsonl").is_file():
        rates = iter_records(folder / "pass_rates.jsonl", PassRate)
        found.never_right = sum(r.samples >= found.samples > 0 == r.correct for r in rates)
    return found


def _by_question(path: Path) -> Iterator[dict[int, Judgment]]:
    """Yield the samples of each question by index; they are adjacent in the file."""
    judgments = iter_records(path, Judgment)
    for _, group in groupby(judgments, key=lambda j: (j.pair_key, j.gold)):
        yield {j.sample_index: j for j in group}


def _add(found: Round, samples: dict[int, Judgment], kept: "_Kept") -> None:
    first, second = samples.get(0), samples.get(1)  # one that is cut off is no judgment
    any_sample = next(iter(samples.values()))
    verdict = first.verdict if first else None
    right = bool(first and first.correct)
    own = bool(first and verdict and not first.forced)
    found.sums.add(
        any_sample.pair_key,
        (
            verdict == "A",
            verdict is not None,
            bool(first and first.forced),
            1,
            right,
            bool(second and second.correct and not right),
            own,
        ),
    )
    if own and first:
        kept.offer(f"{first.pair_key}:{first.gold}", first.text[:TEXT_CHARS])


class _Kept:
    """The texts of those questions whose keys have the lowest hashes."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str, str]] = []

    def offer(self, key: str, text: str) -> None:
        """Keep a text, unless there are enough of lower hashes."""
        item = (-crc32(key.encode()), key, text)
        if len(self._heap) < TEXTS:
            heappush(self._heap, item)
        else:
            heappushpop(self._heap, item)

    def texts(self) -> dict[str, str]:
        """Return what was kept."""
        return {key: text for _, key, text in self._heap}


def mean_words(found: Round) -> float | None:
    """Return the words of a judgment on average, of those whose texts are kept."""
    lengths = [len(words_of(text)) for text in found.texts.values()]
    return sum(lengths) / len(lengths) if lengths else None
