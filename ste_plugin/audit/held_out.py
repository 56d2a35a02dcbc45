"""What a judge said on held-out pairs, as sums by prompt and as its own words."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ste_plugin.audit.jackknife import GroupedSums, Share, share_of
from ste_plugin.evaluation.compare import Comparison, compare_outcomes
from ste_plugin.evaluation.judges import Evaluation, Outcome
from ste_plugin.evaluation.paired_test import sign_flip_p, won_by_prompt
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.verdict import TIE
from ste_plugin.lm_eval_tasks.judged_file import read_judged
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair
from ste_plugin.lm_eval_tasks.metrics import acc_pc, consistency, invalid_rate, pos_bias
from ste_plugin.lm_eval_tasks.samples import replies_of
from ste_plugin.records import ORDERS
from ste_plugin.storage.jsonl import read_json, read_rows
from ste_plugin.text.thinking import split_thinking

METRICS = (pos_bias, consistency, invalid_rate, acc_pc)
WIDTH = 2 * len(METRICS)
LETTER_A = Share(lambda sums: sums[0] + sums[1] / 2, lambda sums: sums[1])
"""Of the verdicts; their sum is of how far each is above one half."""
INCONSISTENCY = Share(lambda sums: sums[3] - sums[2], lambda sums: sums[3])
INVALID_RATE = share_of(4, 5)


def verdict_sums(evaluation: Path) -> GroupedSums | None:
    """Return the sums of the metrics over an evaluation's pairs, by prompt.

    None where it was not measured, or is no set of pairs.
    """
    if not (evaluation / "results.json").is_file():
        return None
    judged = read_judged(evaluation)
    return None if isinstance(judged, dict) else sums_of(judged)


def sums_of(judged: list[JudgedPair]) -> GroupedSums:
    """Return the sums of the metrics over judged pairs, by prompt."""
    sums = GroupedSums(WIDTH)
    for pair in judged:
        if pair.fits:
            sums.add(pair.prompt, [number for metric in METRICS for number in metric(pair)])
    return sums


def read_words(evaluation: Path, judge_format: JudgeFormat) -> dict[str, str]:
    """Return `PAIR:ORDER` → what the judge wrote there by itself, thoughts left out.

    Only replies that state a verdict: others may be anything. Empty where lm-eval's log is gone.
    """
    words: dict[str, str] = {}
    for path in sorted((evaluation / "lm-eval").glob("samples_*.jsonl"))[-1:]:  # the newest
        for _, sample in read_rows(path):
            for order, reply in _first_replies(sample):
                split = split_thinking(reply)
                if split.ended and judge_format.parse(split.said) not in (None, TIE):
                    words[f"{sample['doc']['id']}:{order}"] = split.said
    return words


def _first_replies(sample: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the letter of the better answer and the first reply, of each order shown."""
    logged = zip(sample["arguments"].values(), sample["filtered_resps"], strict=False)
    replies = (replies_of(request, response) for request, response in logged)
    for order, drawn in zip(ORDERS, replies, strict=False):
        if drawn:
            yield order, drawn[0]


def breaks_loss(comparison: Comparison, threshold: float) -> bool:
    """Return whether the second judge is worse by more than the threshold, beyond noise."""
    interval = comparison.acc_pc.interval
    worse = comparison.more_than_noise and comparison.acc_pc.difference < 0
    return worse and interval is not None and interval[1] < -threshold


class Compared(NamedTuple):
    """Two judges on the labelled pairs that both were measured on."""

    comparison: Comparison
    p_lost: float
    """How likely chance alone has the second judge right so much less often, in both orders."""


def measured_at(path: Path) -> Evaluation | None:
    """Return the evaluation in a folder; None where it was not measured."""
    results = path / "results.json"
    return Evaluation(path, read_json(results)) if results.is_file() else None


def compare_labelled(first: Evaluation | None, second: Evaluation | None) -> Compared | None:
    """Return how two judges compare on the labelled pairs that both were measured on.

    None where one was measured before pairs of the file were changed: an id is then no pair's.
    """
    if first is None or second is None:
        return None
    if first.results.get("pairs_sha256") != second.results.get("pairs_sha256"):
        return None
    shared = [key for key in first.outcomes if key in second.outcomes]
    if not shared:
        return None
    return compared(*([e.outcomes[key] for key in shared] for e in (first, second)))


def compared(first: Sequence[Outcome], second: Sequence[Outcome]) -> Compared:
    """Return how two judges compare on the same pairs, in the same order."""
    return Compared(compare_outcomes(first, second), p_lost(first, second))


def p_lost(first: Sequence[Outcome], second: Sequence[Outcome]) -> float:
    """Return how likely chance alone has the second judge right so much less often.

    Of judges that are alike, each is as likely to be the one that a prompt favours. Of one pair per
    prompt this is McNemar's exact test.
    """
    return sign_flip_p([-won for won in won_by_prompt(first, second)], "more", seed=0)
