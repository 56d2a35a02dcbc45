"""Whether one judge is better than another on the same pairs, or whether that is noise."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ste_plugin.errors import DataError
from ste_plugin.evaluation import paired_test
from ste_plugin.evaluation.judges import Evaluation, Outcome, evaluations_at
from ste_plugin.lm_eval_tasks.bootstrap import MetricTerm, estimates, rounded, value_of
from ste_plugin.text.numbers import between, decimals, p_text

SEED = 0
"""Of the bootstrap, and of signs that are flipped."""
LEVEL = 0.05
"""A difference this unlikely to be chance counts as more than noise."""
SAME: dict[str, tuple[str, ...]] = {
    "pairs": ("pairs_sha256",),
    "judge format": ("judge_format",),
    "limit": ("settings", "limit"),
    "mode": ("settings", "mode"),
}
"""What must not differ: what it is called → its path in results.json."""
TOLD: tuple[tuple[str, ...], ...] = (
    ("settings", "votes"),
    ("settings", "force"),
    ("settings", "temperature"),
    ("settings", "top_p"),
    ("settings", "seed"),
    ("settings", "max_new_tokens"),
    ("settings", "too_long"),
    ("settings", "chat_template_kwargs"),
    ("settings", "thinking"),
    ("apply_chat_template",),
    ("system_instruction",),
)
"""What may differ, which is told, by its path: two ways to ask may be what is compared."""
UNSET = {"chat_template_kwargs": None, "thinking": None}
"""Settings that are recorded only where they are set."""
AS_TRAINED = {"apply_chat_template": True, "system_instruction": None}
"""Options of lm-eval that are recorded only where they are others."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The second judge's mean minus the first's."""

    first: float
    second: float
    difference: float
    interval: tuple[float, float] | None
    """95%, bootstrapped by prompt; None below two prompts."""

    @property
    def excludes_zero(self) -> bool:
        """Return whether the interval lies on one side of 0."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two judges on the same labelled pairs."""

    n: int
    prompts: int
    """How many prompts the pairs are of."""
    acc: Difference
    acc_pc: Difference
    """Right in both orders (in the one shown, where there was one)."""
    won: int
    """Pairs that the second gets right in both orders and the first does not."""
    lost: int
    p: float
    """How likely chance alone splits those at least so unevenly; pairs of a prompt go together."""
    both_orders: bool = True
    """Whether the pairs were shown in both orders, rather than once."""
    differs: str = ""
    """Settings that differ, with both values."""
    sets: int = 1
    """How many sets of pairs were tested together, this one among them."""
    p_corrected: float | None = None
    """`p` after Holm's correction over these sets; None where it was tested alone."""

    @property
    def right(self) -> str:
        """Return what `acc_pc` is called."""
        return "right in both orders" if self.both_orders else "right"

    @property
    def test(self) -> str:
        """Return what the test is called."""
        return paired_test.name_of(self.n, self.prompts)

    @property
    def more_than_noise(self) -> bool:
        """Return whether test and interval both say so; of few prompts the latter is too narrow."""
        p = self.p if self.p_corrected is None else self.p_corrected
        return p < LEVEL and self.acc_pc.excludes_zero

    @property
    def pairs_needed(self) -> int | None:
        """Return how many pairs would tell as large a difference from noise; None where none."""
        seen = paired_test.Seen(self.n, self.won, self.lost, self.acc_pc.interval)
        return paired_test.pairs_needed(seen, LEVEL / self.sets)

    def sentence(self, first: str = "the first judge", second: str = "the second judge") -> str:
        """Return the finding in plain words, with the judges called by these names."""
        counts = self._counts(first, second)
        if self.differs:
            counts += f" They were measured differently: {self.differs}."
        if not self.more_than_noise:
            do = "does" if self.n == 1 else "do"
            told = f"{_count(self.n, 'pair')} {do} not tell {first} and {second} apart"
            takes = paired_test.needed_in_words(self.pairs_needed, LEVEL / self.sets, self.test)
            return f"No more than noise: {told}. {counts}{takes}"
        better, worse = (second, first) if self.acc_pc.difference > 0 else (first, second)
        finding = f"More than noise: {better} is {self.right} more often than {worse}. {counts}"
        if self.acc.difference * self.acc_pc.difference < 0:
            # a judge that never answers, or always with one letter, scores 1/2 on accuracy
            finding += f" The accuracy of {better} is the lower one, though: see position bias and "
            finding += "invalid rate."
        return finding

    def _counts(self, first: str, second: str) -> str:
        """Return who gets what right, by how much, and how likely chance does the same."""
        interval = between(self.acc_pc.interval, signed=True)
        difference = decimals(self.acc_pc.difference, signed=True)
        told = f"{difference}, 95% interval {interval}" if interval else difference
        test = f"{self.test}, {p_text(self.p)}"
        if self.p_corrected is not None:
            test += f"; {p_text(self.p_corrected)} after Holm's correction over {self.sets} sets"
        pairs = _count(self.n, "pair")
        if self.prompts < self.n:
            pairs += f" of {_count(self.prompts, 'prompt')}"
        return (
            f"Of {pairs} {second} gets {self.won:,} right that {first} does not, and "
            f"loses {self.lost:,}: {told} ({test})."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it for scripts."""
        return asdict(self) | {
            "more_than_noise": self.more_than_noise,
            "pairs_needed": None if self.more_than_noise else self.pairs_needed,
            "sentence": self.sentence(),
        }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def compare(first: Path, second: Path) -> tuple[dict[str, Comparison], dict[str, str]]:
    """Return name → comparison of each evaluation that both have, and name → why there is none.

    Two single evaluations are compared whatever their names.
    Raises: DataError where nothing can be compared, saying why.
    """
    left, right = evaluations_at(first), evaluations_at(second)
    if len(left) == len(right) == 1 and not left.keys() & right.keys():
        right = dict(zip(left, right.values(), strict=True))
    there = ", ".join(left), ", ".join(right)
    comparisons: dict[str, Comparison] = {}
    refused: dict[str, str] = {}
    damage: DataError | None = None
    for name in [name for name in left if name in right]:
        # popped, so that what was read of one set is gone before the next
        try:
            found = compare_evaluations(left.pop(name), right.pop(name))
        except DataError as error:  # what is wrong with one set hides no other
            damage, found = damage or error, str(error).splitlines()[0]
        if isinstance(found, str):
            refused[name] = found
        else:
            comparisons[name] = found
    if not comparisons and damage:
        raise damage
    if not comparisons:
        raise DataError(
            "\n".join(
                [
                    f"Nothing to compare: {first} has {there[0]}; {second} has {there[1]}.",
                    *(f"  {name}: {why}" for name, why in refused.items()),
                    "Measure both on the same pairs in the same way: ste eval --model … --task … "
                    "--format …",
                ]
            )
        )
    return comparisons, refused


def compare_evaluations(first: Evaluation, second: Evaluation) -> Comparison | str:
    """Return how two judges compare on one set of pairs, or why they cannot be compared.

    Raises: DataError where no pair is common to both, or what was said was not kept or is damaged.
    """
    if why := differing(first.results, second.results):
        return why
    common = _common(first, second)
    if why := _other_orders(*common):
        return why
    return replace(compare_outcomes(*common), differs=told_apart(first.results, second.results))


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """Return what differs that must not, with both values; empty where nothing does."""
    differences = _differences(SAME, first, second)
    return f"not the same {'; '.join(differences)}" if differences else ""


def told_apart(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """Return what else differs in how the judges were asked, with both values."""
    both = [AS_TRAINED | dict(how) for how in (first, second)]
    both = [how | {"settings": UNSET | dict(how.get("settings") or {})} for how in both]
    sampling = [how.get("generation_kwargs") or {} for how in both]
    names = sorted({*sampling[0], *sampling[1]}) if all(sampling) else ()
    both = [
        how | {"generation_kwargs": dict.fromkeys(names) | s}
        for how, s in zip(both, sampling, strict=True)
    ]
    told = (*TOLD, *(("generation_kwargs", name) for name in names))
    return "; ".join(_differences({path[-1]: path for path in told}, *both))


def _differences(
    paths: Mapping[str, Sequence[str]], first: Mapping[str, Any], second: Mapping[str, Any]
) -> list[str]:
    known = {name: (_value_at(first, p), _value_at(second, p)) for name, p in paths.items()}
    return [
        f"{name} {_short(a)} against {_short(b)}"
        for name, (a, b) in known.items()
        if a is not _UNKNOWN and b is not _UNKNOWN and a != b
    ]


def _other_orders(first: Sequence[Outcome], second: Sequence[Outcome]) -> str:
    """Return what differs where one judge was shown both orders and the other one.

    Older samples say nothing else of their mode.
    """
    shown = [{o.both_orders for o in outcomes} for outcomes in (first, second)]
    if shown[0] == shown[1]:
        return ""
    counts = ["both" if orders == {True} else "one" for orders in shown]
    return f"not the same orders shown {counts[0]} against {counts[1]}"


_UNKNOWN = object()


def _value_at(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return _UNKNOWN
        value = value[key]
    return value


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text


def _common(first: Evaluation, second: Evaluation) -> tuple[list[Outcome], list[Outcome]]:
    a, b = first.outcomes, second.outcomes
    shared = [key for key in a if key in b]
    if not shared:
        raise DataError(f"{first.path} and {second.path}: no labelled pair that both judged.")
    return [a[key] for key in shared], [b[key] for key in shared]


def compare_outcomes(first: Sequence[Outcome], second: Sequence[Outcome]) -> Comparison:
    """Return how two judges compare on the same pairs, given in the same order."""
    both = list(zip(first, second, strict=True))
    by_prompt = paired_test.won_by_prompt(first, second)
    return Comparison(
        n=len(both),
        prompts=len(by_prompt),
        acc=_difference([(a, a.acc, b.acc) for a, b in both]),
        acc_pc=_difference([(a, float(a.right), float(b.right)) for a, b in both]),
        won=sum(b.right and not a.right for a, b in both),
        lost=sum(a.right and not b.right for a, b in both),
        p=paired_test.sign_flip_p(by_prompt, "either", SEED),
        both_orders=all(a.both_orders for a in first),
    )


def _difference(pairs: Sequence[tuple[Outcome, float, float]]) -> Difference:
    import numpy as np

    terms = [MetricTerm("", o.stratum, o.prompt_key, b - a, 1) for o, a, b in pairs]
    resampled, mean = estimates(terms, SEED), value_of(terms)
    low, high = (0.0, 0.0) if resampled is None else np.percentile(resampled, [2.5, 97.5])
    return Difference(
        first=sum(a for _, a, _ in pairs) / len(pairs),
        second=sum(b for _, _, b in pairs) / len(pairs),
        difference=rounded(mean or 0.0),
        interval=None if resampled is None else (rounded(float(low)), rounded(float(high))),
    )
