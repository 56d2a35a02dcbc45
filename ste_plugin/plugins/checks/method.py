"""Selectors, pair strategies, judge formats and row formats, given a few made records."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pluggy

from ste_plugin.audit.probes.made_pairs import made_pairs
from ste_plugin.config import SelectionConfig
from ste_plugin.engines.base import Message
from ste_plugin.judging.builtin import BRIEF
from ste_plugin.judging.example import Example
from ste_plugin.judging.format import JudgeFormat
from ste_plugin.pairs.calls import MadePair, calls_of
from ste_plugin.plugins.checks.told import changing, contributed, guarded, instead, own, shown
from ste_plugin.records import ORDERS, Drop, Instruction, Judgment, ResponsePair

_PAIRS = made_pairs()[:6]
_CALLS = 12
"""More calls than any strategy needs for one instruction."""
_SAMPLES = 4
"""Replies to each prompt of a strategy that asks for several; all differ."""


def method_problems(manager: pluggy.PluginManager, plugin: str) -> list[str]:
    """Return what is wrong with what a plugin contributes to the method, by hook and name."""
    hooks: Mapping[str, Callable[[Any], Iterator[str]]] = {
        "ste_selectors": _selector,
        "ste_pair_strategies": _strategy,
        "ste_judge_formats": _format,
        "ste_dataset_formats": _rows,
        "ste_probes": _probe,
    }
    return [
        problem
        for hook, check in hooks.items()
        for implementation in own(manager, hook, plugin)
        for name, part in contributed(implementation).items()
        for problem in guarded(f"{hook}: {name!r}", partial(check, part))
    ]


def _instructions() -> list[Instruction]:
    categories = ("care", "buying")
    return [
        Instruction(p.instruction_key, p.instruction, "check", categories[n % 2], 1 + n, 40)
        for n, p in enumerate(_PAIRS)
    ]


def _selector(selector: Any) -> Iterator[str]:
    given = _instructions()

    def select() -> Any:
        return selector(list(given), SelectionConfig())

    chosen = select()
    if not isinstance(chosen, tuple) or len(chosen) != 2:
        yield f"it returned {instead(chosen)}; expected (those kept, a Drop for each other one)."
        return
    kept, drops = list(chosen[0]), list(chosen[1])
    if wrong := [d for d in drops if not isinstance(d, Drop)]:
        yield f"it dropped with {instead(wrong[0])}; expected Drop(stage, key, reason)."
        return
    if not all(isinstance(i, Instruction) for i in kept):
        yield f"it kept {shown(kept)}; expected Instructions."
        return
    told = sorted([i.key for i in kept] + [d.key for d in drops])
    if told != sorted(i.key for i in given):
        yield (
            f"of {len(given)} instructions it kept {len(kept)} and gave {len(drops)} drops; "
            "expected each to be kept, or to have one Drop with its key and a reason."
        )
    yield from changing("it returned", lambda: tuple(map(list, select())))


def _strategy(strategy: Any) -> Iterator[str]:
    if not isinstance(strategy.version, str) or not strategy.version:
        yield f"its version is {shown(strategy.version)}; expected a text."
    instructions = _instructions()
    good = {p.instruction_key: p.better for p in _PAIRS}
    made = []
    for instruction in instructions:
        replies = [good[instruction.key]] * calls_of(strategy).sees_answer
        problems = list(_ask(strategy, instruction, replies))
        if problems:
            yield problems[0]
            return
        worse = partial(strategy.worse, instruction, tuple(replies), good, instructions)
        made.append((good[instruction.key], worse()))
        if changed := list(changing("`worse` returned", worse)):
            yield changed[0]
            return
    yield from _worse_problems(made)


def _ask(strategy: Any, instruction: Instruction, replies: list[str]) -> Iterator[str]:
    """Add made replies for all calls of one instruction; yield what cannot be asked."""
    for number in range(_CALLS):
        prompts = [strategy.next_prompt(instruction, tuple(replies)) for _ in range(2)]
        if prompts[0] != prompts[1]:
            yield (
                "`next_prompt` asks otherwise when called again with the same replies. Draw by "
                "the instruction's key, and keep no state: a run that is resumed asks anew."
            )
            return
        if prompts[0] is None:
            return
        turns = prompts[0] if isinstance(prompts[0], tuple) else (prompts[0],)
        if not turns or not all(isinstance(turn, Message) for turn in turns):
            yield (
                f"`next_prompt` returned {instead(prompts[0])}; expected None, or turns: "
                "`user(text)` of ste_plugin.inference.requests makes them."
            )
            return
        samples = _SAMPLES if calls_of(strategy).sampled else 1
        replies += [
            f"Reply {number} about something else, {instruction.key[:4]}.{' More.' * n}"
            for n in range(samples)
        ]
    yield (
        f"`next_prompt` asks for more after {_CALLS} replies. Return None where none is left to "
        "ask, as `return None if replies else …`."
    )


def _worse_problems(made: list[tuple[str, Any]]) -> Iterator[str]:
    pairs = []
    for good, result in made:
        if isinstance(result, Drop):
            continue
        pair = MadePair(result) if isinstance(result, str) else result
        if not isinstance(pair, MadePair):
            yield (
                f"`worse` returned {instead(result)}; expected the worse answer, a MadePair, or a "
                "Drop with a reason."
            )
            return
        pairs.append((pair.better or good, pair.worse))
    if pairs and all(better.split() == worse.split() for better, worse in pairs):
        yield (
            "`worse` returned the better answer as the worse one for every instruction. Behind "
            "`Calls(sees_answer=True)` the good answer is replies[0], and what was asked comes "
            "after it."
        )
    elif pairs and not any(worse.strip() for _, worse in pairs):
        yield "`worse` returned an empty answer for every instruction."


def _format(judge_format: JudgeFormat) -> Iterator[str]:
    """Yield what `judging.checking` leaves: both orders, and state kept between calls."""
    if not isinstance(judge_format, JudgeFormat):  # what it lacks is told already
        return
    texts = _PAIRS[0].instruction, _PAIRS[0].better, _PAIRS[0].worse
    swapped = texts[0], texts[2], texts[1]
    if judge_format.render(*texts) == judge_format.render(*swapped):
        yield (
            "render shows both orders of a pair the same, so that A and B mean nothing. Show the "
            "first answer as A, and the second as B."
        )
    yield from changing("render gives", lambda: judge_format.render(*texts))
    yield from changing("version gives", lambda: judge_format.version)
    replies = [f"It is better. {judge_format.forced_text(judge_format.closing, c)}" for c in ORDERS]
    yield from changing("parse gives", lambda: [judge_format.parse(reply) for reply in replies])


def _rows(make_rows: Any) -> Iterator[str]:
    for example in _examples():
        rows = make_rows(example)
        if not isinstance(rows, list | tuple):
            yield f"it returned {instead(rows)}; expected a list of rows, an empty one for none."
            return
        if wrong := [row for row in rows if not isinstance(row, dict)]:
            yield f"a list with {instead(wrong[0])}; expected dictionaries."
            return
        try:
            json.dumps(rows)
        except (TypeError, ValueError) as error:
            yield f"a row cannot be written as JSON: {error}. Rows hold texts, numbers and lists."
            return
        yield from changing("it returned", partial(make_rows, example))


def _examples() -> Iterator[Example]:
    for pair in _PAIRS[:2]:
        for gold in ORDERS:
            correct, wrong = (_judgment(pair, gold, verdict) for verdict in _both(gold))
            yield Example(pair, gold, BRIEF, correct, wrong)
            yield Example(pair, gold, BRIEF, correct, None)


def _both(gold: Any) -> tuple[Any, Any]:
    return (gold, next(order for order in ORDERS if order != gold))


def _judgment(pair: ResponsePair, gold: Any, verdict: Any) -> Judgment:
    text = f"It says more.\n\nFinal verdict: [[{verdict}]]"
    return Judgment(f"{pair.key}{gold}{verdict}", pair.key, gold, 0, text, verdict, forced=False)


def _probe(probe: Any) -> Iterator[str]:
    for pair in _PAIRS:
        if problems := list(changing("change gives", partial(probe.arms, pair, 0))):
            yield problems[0]
            return


def takes(function: Any, count: int) -> bool:
    """Return whether something can be called with so many arguments by position."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # written in C: it does not say
        return True
    return True
