"""How axolotl's preference trainers get our rows: templated text with one BOS, nothing cut off.

axolotl 0.19 finds a strategy of others only as a function of a top-level module, so the plugin
registers this one under the name MODULE: `type: ste_strategies.dpo`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ste_plugin.errors import DataError

MODULE = "ste_strategies"

Transform = Callable[..., dict[str, Any]]
Turn = Mapping[str, str]

_ONLY_THESE = {"remove_columns": "__all__"}


def dpo(*_: Any, **__: Any) -> tuple[Transform, dict[str, Any]]:
    """Return the transform of preference rows: texts `prompt`, `chosen` and `rejected`."""

    def transform(sample: dict[str, Any], tokenizer: Any = None) -> dict[str, Any]:
        messages = sample["messages"]
        return {
            "prompt": prompt_text(tokenizer, messages),
            "chosen": reply_text(tokenizer, messages, sample["chosen"]),
            "rejected": reply_text(tokenizer, messages, sample["rejected"]),
        }

    return transform, _ONLY_THESE


def kto(*_: Any, **__: Any) -> tuple[Transform, dict[str, Any]]:
    """Return the transform of unpaired rows: texts `prompt` and `completion`, and `label`."""

    def transform(sample: dict[str, Any], tokenizer: Any = None) -> dict[str, Any]:
        messages = sample["messages"]
        return {
            "prompt": prompt_text(tokenizer, messages),
            "completion": reply_text(tokenizer, messages, sample["reply"]),
            "label": sample["label"],
        }

    return transform, _ONLY_THESE


def grpo(*_: Any, **__: Any) -> Transform:
    """Return the transform of prompts: as they are, since TRL applies the template itself."""

    def transform(sample: dict[str, Any]) -> dict[str, Any]:
        return sample

    return transform


def prompt_text(tokenizer: Any, messages: Sequence[Turn]) -> str:
    """Return the prompt as a model reads it, less the BOS that tokenizing will put before it."""
    text: str = tokenizer.apply_chat_template(
        list(messages), tokenize=False, add_generation_prompt=True
    )
    bos = tokenizer.bos_token
    adds_bos = bos and tokenizer("x")["input_ids"][:1] == [tokenizer.bos_token_id]
    return text.removeprefix(bos) if adds_bos else text


def reply_text(tokenizer: Any, messages: Sequence[Turn], reply: Turn) -> str:
    """Return what follows the prompt: the reply and the end of the turn.

    Raises: DataError where the template writes the prompt differently once a reply follows.
    """
    chat = [*messages, reply]
    whole: str = tokenizer.apply_chat_template(chat, tokenize=False)
    prompt: str = tokenizer.apply_chat_template(
        list(messages), tokenize=False, add_generation_prompt=True
    )
    if not whole.startswith(prompt) or reply["content"] not in whole[len(prompt) :]:
        raise DataError(
            "The tokenizer's chat template does not put a reply right behind the prompt that it "
            f"asks with: expected …{prompt[-40:]!r} and then the judgment, found …"
            f"{whole[max(0, len(prompt) - 40) : len(prompt) + 40]!r}. Set another `chat_template:`."
        )
    return whole[len(prompt) :].rstrip()
