"""Training rows: what each of axolotl's trainers reads, made from one judged prompt.

Every row also names its instruction and pair, and the letter that is right, so that a training can
check its data and a reward function can score replies.
"""

from collections.abc import Callable, Iterable
from typing import Any

from ste_plugin.engines.base import Message
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.example import Example
from ste_plugin.records import ORDERS, Judgment, ResponsePair, Verdict

TrainingRow = dict[str, Any]

DatasetFormat = Callable[[Example], list[TrainingRow]]
"""One judged prompt → its training rows: none, one or several."""


def chat_turns(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Return messages as the chat turns of a row."""
    return [{"role": m.role, "content": m.content} for m in messages]


def assistant_turn(text: str) -> dict[str, str]:
    """Return an assistant turn, stripped: templates that trim would not match other targets."""
    return {"role": "assistant", "content": text.strip()}


def provenance(pair: ResponsePair, gold: Verdict) -> TrainingRow:
    """Return the columns that say which pair a row is from, and which letter is right."""
    return {"instruction": pair.instruction_key, "pair": pair.key, "better_is": gold}


def sft_rows(example: Example) -> list[TrainingRow]:
    """Return one row for supervised fine-tuning: the prompt, then the correct judgment."""
    messages = [*chat_turns(example.prompt), assistant_turn(example.correct.reply)]
    return [{**provenance(example.pair, example.gold), "messages": messages}]


def worse_judgment(example: Example) -> Judgment | None:
    """Return the wrong judgment, where the correct one is preferable to it.

    Of one answer's ratings the one that belongs to a wrong judgment of the pair may be no worse:
    the other answer's rating made that wrong.
    """
    if example.wrong is None:
        return None
    judge_format = example.judge_format
    correct, wrong = (judge_format.parse(j.text) for j in (example.correct, example.wrong))
    return example.wrong if judge_format.decide(correct, wrong) == example.gold else None


def dpo_rows(example: Example) -> list[TrainingRow]:
    """Return one row for preference training, or none where no judgment was worse."""
    if (worse := worse_judgment(example)) is None:
        return []
    return [
        {
            **provenance(example.pair, example.gold),
            "messages": chat_turns(example.prompt),
            "chosen": assistant_turn(example.correct.reply),
            "rejected": assistant_turn(worse.reply),
        }
    ]


def kto_rows(example: Example) -> list[TrainingRow]:
    """Return a row per judgment: labelled true for the correct one, false for the wrong one."""
    judgments = [(example.correct, True), (worse_judgment(example), False)]
    return [
        {
            **provenance(example.pair, example.gold),
            "messages": chat_turns(example.prompt),
            "reply": assistant_turn(judgment.reply),
            "label": label,
        }
        for judgment, label in judgments
        if judgment is not None
    ]


def grpo_rows(example: Example) -> list[TrainingRow]:
    """Return one row with the prompt alone, and what a reward function needs to score replies."""
    row = provenance(example.pair, example.gold)
    return [
        {**row, "prompt": chat_turns(example.prompt), "judge_format": example.judge_format.name}
    ]


def held_out_rows(pair: ResponsePair, judge_format: JudgeFormat) -> list[TrainingRow]:
    """Return a pair's prompts in both orders, with the prefix of a forced verdict."""
    shown = judge_format.for_row(pair.columns)
    return [
        {
            **provenance(pair, gold),
            "subset": pair.strategy,
            "messages": chat_turns(
                shown.render_pair(pair.instruction, pair.better, pair.worse, gold)
            ),
            "opening": judge_format.forced_prefix(""),
        }
        for gold in ORDERS
    ]


FORMATS: dict[str, DatasetFormat] = {
    "sft": sft_rows,
    "dpo": dpo_rows,
    "kto": kto_rows,
    "grpo": grpo_rows,
}

IN_BOTH_ORDERS = ("grpo",)
"""Formats whose rows come two by two: a reward for both orders of a pair finds them in one batch
only where no pair of one order shifts all that follow."""
