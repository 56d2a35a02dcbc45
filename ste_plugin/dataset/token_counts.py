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

_BATCH = 256
"""Examples to tokenize together: a fast tokenizer uses all cores for them."""


def count_tokens(model: str, examples: Iterable[Example]) -> Iterator[int | None]:
    """Yield the number of tokens of each example's prompt and longest judgment, as a chat.

    None for an example whose texts hold a special token of this tokenizer.

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
    for batch in _batches(examples):
        for example, length in zip(batch, _lengths(tokenizer, batch), strict=True):
            yield None if special and special.search(_text(example)) else length


def _batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
    remaining = iter(examples)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def _judgments(example: Example) -> list[Judgment]:
    return [example.correct] + ([example.wrong] if example.wrong else [])


def _text(example: Example) -> str:
    return "\n".join([m.content for m in example.prompt] + [j.text for j in _judgments(example)])


def _lengths(tokenizer: Any, examples: Sequence[Example]) -> list[int]:
    chats = [[_chat(e, judgment) for judgment in _judgments(e)] for e in examples]
    flat = [chat for of_example in chats for chat in of_example]
    texts = tokenizer.apply_chat_template(flat, tokenize=False)
    encoded = iter(tokenizer(texts, add_special_tokens=False)["input_ids"])
    return [max(len(next(encoded)) for _ in of_example) for of_example in chats]


def _chat(example: Example, judgment: Judgment) -> list[dict[str, str]]:
    return chat_turns((*example.prompt, Message("assistant", judgment.text)))
