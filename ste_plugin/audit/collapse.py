"""Collapse over rounds: letters, words, pass rates, agreement with people.

Figures of a trained judge are held to a level, and every figure to how far it moved from where the
run began. The seed's own are only told: the audit is of what was learnt.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from ste_plugin.audit import rounds
from ste_plugin.audit.finding import Finding
from ste_plugin.audit.held_out import (
    Compared,
    breaks_loss,
    compare_labelled,
    measured_at,
    verdict_sums,
)
from ste_plugin.audit.jackknife import Estimate, GroupedSums
from ste_plugin.audit.rounds import Round, read_rounds
from ste_plugin.audit.shares import (
    CHECK,
    change_finding,
    held_out_shares,
    level_finding,
    meant_for,
    sampled_shares,
    share_finding,
)
from ste_plugin.audit.significance import LEVEL
from ste_plugin.audit.variety import compare_texts
from ste_plugin.config.audit import AuditConfig
from ste_plugin.context import RunContext
from ste_plugin.evaluation.judges import Evaluation
from ste_plugin.evaluation.paired_test import holm
from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.storage.jsonl import replace_json

OF_FIRST_ROUND = (
    "distinct pairs of words",
    "distinct triples of words",
    "size compressed",
    "length",
)
"""Figures that are ratios to the first round's, on the same questions."""
SAME_EACH_TIME = "same verdict each time"
_SHARES = (*held_out_shares(AuditConfig()), *sampled_shares(AuditConfig()))
TRENDS = (*(held.name for held in _SHARES), SAME_EACH_TIME, *OF_FIRST_ROUND)
"""Figures that every round has, and that a line over rounds shows."""


def check_collapse(context: RunContext, iteration: int) -> Iterator[Finding]:
    """Yield what collapsed up to an iteration, of the files of the run alone."""
    history = _History(context, iteration)
    yield from history.of_held_out_pairs()
    stages = len(context.config.training.recipe)
    now, first = (read_rounds(context.folder, n, stages) for n in (iteration, 1))
    yield from history.of_samples(now, {found.stage: found for found in first})
    yield from history.of_people()
    replace_json(context.folder.audit / "collapse.json", history.table([*first, *now]))


@dataclass(frozen=True, slots=True)
class _History:
    """The iterations of a run up to one of them."""

    context: RunContext
    iteration: int

    @property
    def levels(self) -> AuditConfig:
        """Return what the config holds figures to."""
        return self.context.config.audit

    def of_held_out_pairs(self) -> Iterator[Finding]:
        """Yield the figures of the judge of the iteration, on dev pairs (or else on test pairs)."""
        pairs, sums = self._held_out()
        own, seed = sums.get(self.iteration), sums.get(0)
        for held in meant_for(self.context.judge_format, held_out_shares(self.levels)):
            told = held._replace(words=held.words.replace("{pairs}", pairs))
            if own is None:
                yield self._undecided(held.name, f"iteration {self.iteration}", "not measured.")
                continue
            subject = f"{judge_name(self.iteration)}, {pairs}"
            course = held.course({n: held.share(s).figure for n, s in sums.items()})
            yield level_finding(told, subject, own, course, is_held=self.iteration > 0)
            if self.iteration and seed is not None:
                yield change_finding(told, subject, "the seed", seed, own, self.levels.change)

    def _held_out(self) -> tuple[str, dict[int, GroupedSums]]:
        names = ("dev", "test")
        folders = [self.context.folder.iteration(n) / "eval" for n in range(self.iteration + 1)]
        pairs = next((n for n in names if (folders[-1] / n / "results.json").is_file()), "dev")
        sums = {n: verdict_sums(folder / pairs) for n, folder in enumerate(folders)}
        return pairs, {n: found for n, found in sums.items() if found is not None}

    def of_samples(self, now: Sequence[Round], first: Mapping[int, Round]) -> Iterator[Finding]:
        """Yield the figures of the judgments that were sampled for the iteration."""
        if not now:
            yield self._undecided(
                "letters", f"iteration {self.iteration}", "there are no judgments.jsonl of it."
            )
        for found in now:
            before = first.get(found.stage)
            for held in meant_for(self.context.judge_format, sampled_shares(self.levels)):
                if held.name == "forced" and self._always_forced():
                    continue
                yield level_finding(held, _subject(found), found.sums, "", is_held=found.trained)
                if before is not None and before.iteration != found.iteration:
                    sums, most = (before.sums, found.sums), self.levels.change
                    yield change_finding(held, _subject(found), "iteration 1", *sums, most)
            yield self._pass_rates(found, before)
            yield from self._words(found, before)

    def _always_forced(self) -> bool:
        """Return whether letters are all forced by design: the judge is asked for nothing else."""
        return self.context.config.judging.force_verdict and not self.context.judge_format.reasons

    def _pass_rates(self, found: Round, before: Round | None) -> Finding:
        """Return how far the judge says the same each time that it is asked a question."""
        name, subject = SAME_EACH_TIME, _subject(found)
        if found.samples == 1 or found.temperature == 0:
            return self._undecided(name, subject, "a question has one sample, or all are the same.")
        estimate = _at_the_ends(found)
        if estimate.figure is None:
            return self._undecided(name, subject, "all first judgments are right, or none is.")
        total, most = found.sums.total(), self.levels.same_verdict
        again = total[5] / (total[3] - total[4])
        words = (
            f"a wrong first judgment is followed by a right one in {again:.0%}, and "
            f"{found.never_right} of {found.questions} questions are never judged right; "
            f"its verdicts on a question are {estimate.figure:.0%} fixed (0%: drawn anew each "
            f"time; 100%: always the same), at most {most:.0%}"
        )
        if before is not None and before.iteration != found.iteration:
            was = _at_the_ends(before).figure
            words += f"; iteration 1 {'unknown' if was is None else f'{was:.0%}'}"
        failed = found.trained and estimate.above(most)
        cure = "Raise judging.temperature, or write harder pairs: more of the same teach nothing."
        return share_finding(name, subject, estimate, most, found.questions, failed, words, cure)

    def _words(self, found: Round, before: Round | None) -> Iterator[Finding]:
        """Yield how long and varied judgments are beside those of the first round."""
        if not self.context.judge_format.reasons:
            return
        subject = _subject(found)
        if before is None or before.iteration == found.iteration:
            yield self._undecided("variety", subject, "there is one round only.")
            return
        compared, levels = compare_texts(before.texts, found.texts), self.levels
        ratios = (
            (compared.distinct_2, levels.variety, None),
            (compared.distinct_3, levels.variety, None),
            (compared.compression, levels.variety, None),
            (compared.length, levels.shortest, levels.longest),
        )
        for name, (ratio, least, most) in zip(OF_FIRST_ROUND, ratios, strict=True):
            if ratio.figure is None:
                why = f"{compared.texts} questions have words of both judges, which are too few."
                yield self._undecided(name, subject, why)
                continue
            failed = ratio.below(least) or (most is not None and ratio.above(most))
            limits = f"at least {least:.0%}" + (f" and at most {most:.0%}" if most else "")
            words = f"{name}: {ratio.figure:.0%} of iteration 1's on the same questions; {limits}"
            cure = "Read some judgments of both rounds; train for fewer steps, or on more pairs."
            is_long = most is not None and ratio.figure > most
            yield share_finding(
                name,
                subject,
                ratio,
                most if is_long else least,
                compared.texts,
                failed,
                words,
                cure,
                "most" if is_long else "least",
            )

    def of_people(self) -> Iterator[Finding]:
        """Yield how the judge agrees with people's labels, beside the seed."""
        config = self.context.config
        people = config.gates.people
        courses: dict[str, dict[int, Compared]] = {}
        for pairs in tuple(config.evaluation.pairs) if people is None else people:
            course = self._course(pairs) if self.iteration else {}
            if self.iteration not in course:
                why = "not measured for the seed and for it, or without a labelled pair."
                yield self._undecided("agreement", f"iteration {self.iteration}, {pairs}", why)
            else:
                courses[pairs] = course
        corrected = holm([course[self.iteration].p_lost for course in courses.values()])
        for (pairs, course), p in zip(courses.items(), corrected, strict=True):
            yield self._agreement(pairs, course, p)

    def _agreement(self, pairs: str, course: Mapping[int, Compared], p: float) -> Finding:
        """Return how the judge agrees with people on one set; `p` is corrected for all sets."""
        rights = {n: compared.comparison.acc_pc.second for n, compared in course.items()}
        comparison = course[self.iteration].comparison
        difference = comparison.acc_pc
        told = ", ".join(f"{judge_name(n)} {right:.0%}" for n, right in rights.items())
        words = f"{comparison.right} on {pairs}: {told} (p = {p:.2g}); it must not fall"
        return share_finding(
            "agreement",
            f"iteration {self.iteration}, {pairs}",
            Estimate(difference.difference, difference.interval),
            0.0,
            comparison.n,
            breaks_loss(comparison, 0.0) and p < LEVEL,
            words + (self._beside_dev() if difference.difference < 0 else ""),
            "It learns the pairs, not what people prefer. Ship an earlier iteration, and "
            "change the pair strategies.",
            "least",
        )

    def _course(self, pairs: str) -> dict[int, Compared]:
        """Return iteration → its judge beside the seed, of those that were measured."""
        seed = self._measured(0, pairs)
        later = ((n, self._measured(n, pairs)) for n in range(1, self.iteration + 1))
        course = ((n, compare_labelled(seed, judge)) for n, judge in chain([(0, seed)], later))
        return {n: compared for n, compared in course if compared is not None}

    def _measured(self, number: int, pairs: str) -> Evaluation | None:
        return measured_at(self.context.folder.iteration(number) / "eval" / pairs)

    def _beside_dev(self) -> str:
        """Return how the judge did on dev pairs meanwhile, if it rose there."""
        found = compare_labelled(self._measured(0, "dev"), self._measured(self.iteration, "dev"))
        dev = None if found is None else found.comparison.acc_pc
        if dev is None or dev.difference <= 0:
            return ""
        return f", while on dev pairs it rose from {dev.first:.0%} to {dev.second:.0%}"

    def _undecided(self, name: str, subject: str, why: str) -> Finding:
        return Finding(CHECK, name, subject, None, None, None, 0, False, f"undecided: {why}")

    def table(self, found: Sequence[Round]) -> dict[str, Any]:
        """Return every figure of every iteration, for tables and plots."""
        pairs, sums = self._held_out()
        shares = meant_for(self.context.judge_format, held_out_shares(self.levels))
        judges = {str(n): {h.name: _json(h.share(s)) for h in shares} for n, s in sums.items()}
        return {"iteration": self.iteration, "pairs": pairs, "judges": judges} | {
            "rounds": [_row(r) for r in {(r.iteration, r.stage): r for r in found}.values()]
        }


def _at_the_ends(found: Round) -> Estimate:
    return found.sums.bounded(rounds.at_the_ends, rounds.first_wrong)


def _row(found: Round) -> dict[str, Any]:
    """Return the figures of one round."""
    own = found.sums.total()[6]
    return {
        "iteration": found.iteration,
        "stage": found.stage,
        "judged_by": found.judged_by,
        "questions": found.questions,
        "share_of_a": rounds.LETTER_A(found.sums.total()),
        "right": _json(found.sums.share(rounds.RIGHT)),
        "forced": _json(found.sums.share(rounds.FORCED)),
        "at_the_ends": _json(_at_the_ends(found)),
        "never_right": found.never_right,
        "in_own_words": int(own),
        "words": rounds.mean_words(found),
    }


def _json(estimate: Estimate) -> dict[str, Any]:
    return {"figure": estimate.figure, "interval": estimate.interval}


def _subject(found: Round) -> str:
    stage = f", stage {found.stage}" if found.stage > 1 else ""
    judge = "" if found.stage > 1 else f", judged by {judge_name(found.judged_by or 0)}"
    return f"iteration {found.iteration}{stage}{judge}"
