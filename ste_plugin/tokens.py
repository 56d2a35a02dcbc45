"""Counting the tokens of training rows with the judge's own tokenizer and template."""

from collections.abc import Sequence

from ste_plugin.dataset import Example
from ste_plugin.engines.base import Message
from ste_plugin.errors import EngineError
from ste_plugin.plain import special_tokens
from ste_plugin.rows import turns


def count_tokens(model: str, examples: Sequence[Example]) -> dict[str, int]:
    """Return example key → tokens of its longest row: prompt and longest judgment, as a chat.

    Examples with a special token of this very tokenizer in what is said are left out.

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
    special = special_tokens(tokenizer)
    plain = [e for e in examples if not (special and special.search(_said(e)))]
    return {e.key: max(_lengths(tokenizer, e)) for e in plain}


def _said(example: Example) -> str:
    judgments = [example.correct] + ([example.wrong] if example.wrong else [])
    return "\n".join([m.content for m in example.prompt] + [j.text for j in judgments])


def _lengths(tokenizer: object, example: Example) -> list[int]:
    judgments = [example.correct] + ([example.wrong] if example.wrong else [])
    chats = [turns((*example.prompt, Message("assistant", j.text))) for j in judgments]
    texts = tokenizer.apply_chat_template(chats, tokenize=False)  # type: ignore[attr-defined]
    encoded = tokenizer(texts, add_special_tokens=False)  # type: ignore[operator]
    return [len(ids) for ids in encoded["input_ids"]]
