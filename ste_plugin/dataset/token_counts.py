"""Counting the tokens of training rows with the judge's own tokenizer and template."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from ste_plugin.config import ModelConfig
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.identity import model_path
from ste_plugin.engines.nested import revision_of
from ste_plugin.errors import EngineError
from ste_plugin.judging.example import Example
from ste_plugin.records import Judgment
from ste_plugin.text.sanitize import special_token_pattern
from ste_plugin.text.thinking import without_marks

_BATCH = 256
"""Examples to tokenize together: a fast tokenizer uses all cores for them."""


def count_tokens(
    model: ModelConfig, base: Path, examples: Iterable[Sequence[Example]]
) -> Iterator[int | None]:
    """Yield the number of tokens of the longest row of each prompt, as it is trained.

    An element of `examples` is one prompt's example in every judge format that it is learnt in.
    None where its texts hold a special token of this tokenizer.

    Raises: EngineError where the tokenizer cannot be loaded or has no chat template.
    """
    template = load_template(model, base)
    special = special_token_pattern(template.tokenizer)
    for batch in _batches(examples):
        for learnt, length in zip(batch, _lengths(template, batch), strict=True):
            texts = (_text(example) for example in learnt)
            yield None if special and any(map(special.search, texts)) else length


def load_template(model: ModelConfig, base: Path) -> ChatTemplate:
    """Return the judge's chat template, by which it is asked and trained.

    Raises: EngineError where the tokenizer cannot be loaded or has no chat template.
    """
    from transformers import AutoTokenizer

    path = model_path(model, base)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            path, revision=revision_of(model), trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise EngineError(
            f"{path}: its tokenizer cannot be loaded ({str(error).splitlines()[0]}). "
            "judge.model must be a folder or hub id with a tokenizer, as axolotl trains from it. "
            "Over HTTP the name that a server knows it by goes into options.endpoints: "
            "[{base_url: ADDRESS, model: NAME}]."
        ) from error
    return ChatTemplate.of_model(tokenizer, model)


def _batches(examples: Iterable[Sequence[Example]]) -> Iterator[list[Sequence[Example]]]:
    remaining = iter(examples)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def _judgments(example: Example) -> list[Judgment]:
    return [example.correct] + ([example.wrong] if example.wrong else [])


def _text(example: Example) -> str:
    """Return the words of a row; marks of the judge's own thoughts may be special tokens."""
    judged = [part for j in _judgments(example) for part in (without_marks(j.thinking), j.text)]
    return "\n".join([*(m.content for m in example.prompt), *judged])


def _trained(template: ChatTemplate, example: Example) -> list[str]:
    prompt = template.prompt(example.prompt)
    return [prompt + template.target(j.reply) for j in _judgments(example)]


def _lengths(template: ChatTemplate, examples: Sequence[Sequence[Example]]) -> list[int]:
    texts = [[text for e in learnt for text in _trained(template, e)] for learnt in examples]
    flat = [text for of_example in texts for text in of_example]
    encoded = iter(template.tokenizer(flat, add_special_tokens=False)["input_ids"])
    return [max(len(next(encoded)) for _ in of_example) for of_example in texts]
