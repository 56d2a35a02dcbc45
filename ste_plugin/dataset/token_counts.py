"""Counting the tokens of training rows with the judge's own tokenizer and template."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from ste_plugin.dataset.row_formats import chat_turns
from ste_plugin.engines.base import Message
from ste_plugin.errors import EngineError
from ste_plugin.judging.example import Example
from ste_plugin.records import Judgment
from ste_plugin.text.sanitize import special_token_pattern

_AT_ONCE = 256
"""Examples to tokenize together: a fast tokenizer works on them on all cores."""


def count_tokens(model: str, examples: Iterable[Example]) -> Iterator[int | None]:
    """Yield the tokens of each example's longest row: prompt and longest judgment, as a chat.

    None for one with a special token of this very tokenizer in what is said.

    Raises: EngineError where the tokenizer cannot be loaded or has no chat template.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise EngineError(
            f"{model}: its tokenizer cannot be loaded ({str(error).splitlines()[0]}). "
            "judge.model must be a folder or hub id with a tokenizer, as axolotl trains from it."
        ) from error
    if not tokenizer.chat_template:
        raise EngineError(
            f"{model}: its tokenizer has no chat template; use an instruction-tuned one."
        )
    special = special_token_pattern(tokenizer)
    for some in _batches(examples):
        steering = [bool(special and special.search(_said(e))) for e in some]
        lengths = _lengths(tokenizer, some)
        yield from (
            None if has_control_tokens else n
            for n, has_control_tokens in zip(lengths, steering, strict=True)
        )


def _batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
    rest = iter(examples)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def _judgments(example: Example) -> list[Judgment]:
    return [example.correct] + ([example.wrong] if example.wrong else [])


def _said(example: Example) -> str:
    return "\n".join([m.content for m in example.prompt] + [j.text for j in _judgments(example)])


def _lengths(tokenizer: Any, examples: Sequence[Example]) -> list[int]:
    chats = [[chat_turns((*e.prompt, Message("assistant", j.text))) for j in _judgments(e)]
             for e in examples]  # fmt: skip
    texts = tokenizer.apply_chat_template([c for some in chats for c in some], tokenize=False)
    encoded = iter(tokenizer(texts, add_special_tokens=False)["input_ids"])
    return [max(len(next(encoded)) for _ in some) for some in chats]
