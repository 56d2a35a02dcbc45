"""Accuracy, share answered and tokens of every setting of a cascade, overall and by subset."""

from collections import Counter
from collections.abc import Iterable, Sequence

from ste_plugin.cascade.outcome import STAGES, Outcome, Setting, answer
from ste_plugin.cascade.promise import settings_of
from ste_plugin.judge.comparison import Tokens
from ste_plugin.records import Record


class Point(Record, frozen=True):
    """What a setting does to some pairs."""

    setting: Setting
    subset: str
    """Empty for all pairs."""
    pairs: int
    answered: int
    by_stage: dict[str, int]
    """Stage → how many pairs it answered."""
    judged: int
    """Answered pairs whose label prefers one answer."""
    right: int
    prompt_tokens: int
    written_tokens: int

    @property
    def share(self) -> float:
        """Answered pairs, of all."""
        return self.answered / self.pairs if self.pairs else 0.0

    @property
    def accuracy(self) -> float | None:
        """Right answers, of those whose label prefers one; None without any."""
        return self.right / self.judged if self.judged else None


def point(outcomes: Iterable[Outcome], setting: Setting, subset: str = "") -> Point:
    """Return what a setting does to these pairs; each counts once, also several of one prompt."""
    said = [(each, answer(each, setting)) for each in outcomes]
    stages = Counter(given.stage for _, given in said if given.stage)
    judged = [given.right for each, given in said if given.stage and each.labelled]
    spent = [given.tokens for _, given in said]
    return Point(
        setting=setting,
        subset=subset,
        pairs=len(said),
        answered=sum(stages.values()),
        by_stage={name: stages[name] for name in STAGES[: setting.depth]},
        judged=len(judged),
        right=judged.count(True),
        prompt_tokens=sum(tokens.prompt for tokens in spent),
        written_tokens=sum(tokens.written for tokens in spent),
    )


def curve(outcomes: Sequence[Outcome], depth: int) -> list[Point]:
    """Return every setting's point, of all pairs and then, where there are several, by subset."""
    subsets = list(dict.fromkeys(each.subset for each in outcomes))
    parts = {"": list(outcomes)}
    if len(subsets) > 1:
        parts |= {name: [o for o in outcomes if o.subset == name] for name in subsets}
    settings = [setting for family in settings_of(depth) for setting in family]
    return [point(some, setting, name) for name, some in parts.items() for setting in settings]


def reference(outcomes: Sequence[Outcome]) -> Point | None:
    """Return what the reasoning judge alone does to these pairs; None where it was not asked."""
    alone = [
        each._replace(
            entropy=None, right=[None, *each.right[1:2]], tokens=[Tokens(), *each.tokens[1:2]]
        )
        for each in outcomes
        if len(each.right) > 1
    ]
    return point(alone, Setting("reasoning", 0.0)) if alone else None
