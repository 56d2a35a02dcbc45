"""Training rows: what each of axolotl's trainers reads, made of one judged prompt.

Every row also says which instruction and pair it came of and which letter is right, so that a
training can check what it is given and a reward function can tell right from wrong.
"""

from collections.abc import Callable, Iterable
from typing import Any

from ste_plugin.engines.base import Message
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.example import Example
from ste_plugin.records import ORDERS, ResponsePair, Verdict

TrainingRow = dict[str, Any]

DatasetFormat = Callable[[Example], list[TrainingRow]]
"""One judged prompt → its training rows: one, several, or none."""


def chat_turns(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Return chat turns as rows hold them."""
    return [{"role": m.role, "content": m.content} for m in messages]


def assistant_turn(text: str) -> dict[str, str]:
    """Return an assistant turn; templates that trim would lose a target with loose whitespace."""
    return {"role": "assistant", "content": text.strip()}


def provenance(pair: ResponsePair, gold: Verdict) -> TrainingRow:
    """Return what every row says of where it came from."""
    return {"instruction": pair.instruction_key, "pair": pair.key, "better_is": gold}


def sft_rows(example: Example) -> list[TrainingRow]:
    """Return one row for supervised fine-tuning: the prompt, then the correct judgment."""
    messages = [*chat_turns(example.prompt), assistant_turn(example.correct.text)]
    return [{**provenance(example.pair, example.gold), "messages": messages}]


def dpo_rows(example: Example) -> list[TrainingRow]:
    """Return one row for preference training, correct against wrong, or none without a wrong one."""
    if example.wrong is None:
        return []
    return [
        {
            **provenance(example.pair, example.gold),
            "messages": chat_turns(example.prompt),
            "chosen": assistant_turn(example.correct.text),
            "rejected": assistant_turn(example.wrong.text),
        }
    ]


def kto_rows(example: Example) -> list[TrainingRow]:
    """Return a row for every judgment with its label: true for the correct one, false for a wrong one."""
    judgments = [(example.correct, True), (example.wrong, False)]
    return [
        {
            **provenance(example.pair, example.gold),
            "messages": chat_turns(example.prompt),
            "reply": assistant_turn(judgment.text),
            "label": label,
        }
        for judgment, label in judgments
        if judgment is not None
    ]


def grpo_rows(example: Example) -> list[TrainingRow]:
    """Return the prompt alone, with what a reward function needs to score replies to it."""
    row = provenance(example.pair, example.gold)
    return [
        {**row, "prompt": chat_turns(example.prompt), "judge_format": example.judge_format.name}
    ]


def held_out_rows(pair: ResponsePair, judge_format: JudgeFormat) -> list[TrainingRow]:
    """Return a pair's prompts in both orders, and the words that a forced verdict would follow."""
    return [
        {
            **provenance(pair, gold),
            "subset": pair.strategy,
            "messages": chat_turns(
                judge_format.render_pair(pair.instruction, pair.better, pair.worse, gold)
            ),
            "opening": judge_format.forced_prefix(""),
        }
        for gold in ORDERS
    ]


FORMATS: dict[str, DatasetFormat] = {
    "sft": sft_rows, "dpo": dpo_rows, "kto": kto_rows, "grpo": grpo_rows,
}  # fmt: skip
