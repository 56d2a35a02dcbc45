"""What a judgment is worth in reinforcement learning.

In a config: `trl.reward_funcs: [ste_plugin.axolotl.rewards.judge_reward]`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from math import fsum
from typing import Any

from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.verdict import Said, letter_of, without_verdicts
from ste_plugin.plugins.manager import find_contribution, plugin_manager
from ste_plugin.records import OTHER, Verdict
from ste_plugin.text.thinking import Split, ends_in_opening, split_thinking, without_marks

RIGHT, RIGHT_IN_BOTH_ORDERS = 0.7, 0.3
"""The parts of a reward, which add up to 1. The form of a judgment earns nothing by itself: that
cost J1's judge 0.8 points (arXiv 2505.10320)."""
MIN_WORDS = 5
"""Fewer before the verdict are no reasons."""


def judge_reward(
    completions: Sequence[Any],
    *,
    better_is: Sequence[Verdict],
    pair: Sequence[str],
    judge_format: Sequence[str],
    prompts: Sequence[Any] = (),
    completion_ids: Sequence[Sequence[int]] = (),
    template: ChatTemplate | None = None,
    formats: Mapping[str, JudgeFormat] | None = None,
    **_: Any,
) -> list[float]:
    """Return a reward between 0 and 1 for each judgment.

    `template`: the judge's own, which the plugin adds (`read_by`); without it the marks of thoughts
    are those of the known families, as far as TRL leaves them in the text. `formats`: name → judge
    format, of the data set's own, which the plugin adds, too; others are built in or installed.
    The right verdict earns RIGHT, and RIGHT_IN_BOTH_ORDERS times the share of right judgments among
    those of the same pair in the other order, as far as they are in the same batch. A rating of one
    answer alone earns the share of the other answer's ratings in the batch that it is on the right
    side of. A wrong one earns nothing, as does more than one, a bare one where its format asks for
    reasons, a thought that never ends, whatever it names, and, as far as its tokens are known, a
    judgment that is cut off. Reasons may be given in the thought.
    """
    if template and completion_ids:
        replies = [_split_tokens(template, ids) for ids in completion_ids]
    else:
        replies = list(_split_texts(completions, prompts))
    known = formats or {}
    asked = [known.get(name) or _load_format(name) for name in judge_format]
    said = [_said(reply, form) for reply, form in zip(replies, asked, strict=True)]
    beside: dict[tuple[str, Verdict], list[Said]] = defaultdict(list)
    for key, gold, each in zip(pair, better_is, said, strict=True):
        beside[key, gold].append(each)

    def reward(index: int) -> float:
        own, gold = said[index], better_is[index]
        others = beside.get((pair[index], OTHER[gold])) or [None]
        return fsum(_points(asked[index], own, o, gold) for o in others) / len(others)

    return [reward(index) for index in range(len(said))]


def _points(judge_format: JudgeFormat, own: Said, other: Said, gold: Verdict) -> float:
    """Return what a judgment is worth beside one of those to the pair's other prompt."""
    if letter_of(judge_format.decide(own, other)) != gold:
        return 0.0
    in_both = letter_of(judge_format.decide(other, own)) == OTHER[gold]
    return RIGHT + RIGHT_IN_BOTH_ORDERS * in_both


def read_by(
    functions: Iterable[Any], template: ChatTemplate, judge_format: JudgeFormat
) -> list[Any]:
    """Return a trainer's reward functions, of which ours reads judgments by their tokens and the
    data set's own format."""
    own = partial(judge_reward, template=template, formats={judge_format.name: judge_format})
    return [own if f is judge_reward else f for f in functions]


def _split_tokens(template: ChatTemplate, ids: Sequence[int]) -> Split:
    """Return a completion taken apart; one that no end of a turn is in has not ended."""
    split = template.split(template.decode(ids))
    whole = not {template.tokenizer.eos_token_id, *template.turn_end_ids}.isdisjoint(ids)
    return split if whole else split._replace(ended=False)


def _split_texts(completions: Sequence[Any], prompts: Sequence[Any]) -> Iterator[Split]:
    """Yield each completion taken apart, by the marks of the known families."""
    for index, completion in enumerate(completions):
        prompt = prompts[index] if index < len(prompts) else ""
        yield split_thinking(_text(completion), opened=ends_in_opening(prompt))


def _said(reply: Split, judge_format: JudgeFormat) -> Said:
    """Return what a judgment says that is well formed, or None."""
    reasons = without_verdicts(reply.said, judge_format.mark)
    words = f"{without_marks(reply.thinking)} {reasons}".split()
    bare = judge_format.reasons and len(words) < MIN_WORDS
    return judge_format.parse(reply.said) if reply.ended and not bare else None


@cache
def _load_format(name: str) -> JudgeFormat:
    judge_format: JudgeFormat = find_contribution(
        plugin_manager([]), "ste_judge_formats", name, "judge_format"
    )
    return judge_format


def _text(completion: Any) -> str:
    """Return the words of a completion, which TRL hands over as text or as turns."""
    if isinstance(completion, str):
        return completion
    last: Mapping[str, str] = completion[-1]
    return last["content"]
