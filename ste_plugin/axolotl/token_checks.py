"""Checks of what a trainer makes of our rows, token by token, before a GPU is used."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ste_plugin.axolotl.strategies import TRANSFORMS, messages_of, row_tokens, template_of
from ste_plugin.axolotl.trained_rows import expected_digest
from ste_plugin.engines.base import Message
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.errors import DataError, EngineError
from ste_plugin.storage.dataset_manifest import DatasetManifest, row_format_of_rl
from ste_plugin.text.thinking import split_thinking, without_marks

_TOKENIZED_APART = ("orpo", "simpo")
"""Trainings of TRL (1.9) that put the tokenizer's BOS, if it has one, before any prompt without."""
_QUESTION = (Message("user", "Is seven a prime?"),)
_CURE = "Set another `chat_template:`, or start from another model."


class Trained(NamedTuple):
    """What a trainer makes of one judgment of a row."""

    prompt: list[int]
    learnt: list[int]
    judgment: str | None
    """The judgment as the row has it; None where only a prompt is trained on."""


def check_tokens(
    manifest: DatasetManifest,
    rl: str | None,
    tokenizer: Any,
    sequence_len: int,
    *,
    learns_prompts: bool = False,
    digests: Counter[bytes] | None = None,
) -> None:
    """Return if every row is trained on as it is asked, is learnt whole, and fits.

    `rl`, `learns_prompts`: axolotl's keys `rl` and `train_on_inputs`. `digests`: is given those of
    the rows.
    Raises: DataError naming file and line, or the tokenizer, and the cure.
    """
    template = checked_template(tokenizer, manifest)
    if rl == "grpo":
        check_stop(template)
    check_saved(template, manifest)
    rows = row_format_of_rl(rl)
    for place, row in manifest.rows(f"{rows}-train"):
        try:
            asked = template.encode(template.prompt(messages_of(prompt_turns(row, rows))))
            judgments = list(trained_tokens(template, row, rl))
            for trained in judgments:
                check_trained(place, template, asked, trained)
                check_length(place, trained, sequence_len)
            if digests is not None:
                digests[expected_digest(template, row, rl, judgments, whole=learns_prompts)] += 1
        except EngineError as error:
            raise DataError(f"{place}: {error}") from error


def checked_template(tokenizer: Any, manifest: DatasetManifest) -> ChatTemplate:
    """Return the chat template of a manifest's judge, by which it can be asked and trained.

    Raises: DataError where a tokenizer has none, no reply follows the prompt that it asks with, or
    no token of its own ends a turn.
    """
    name = tokenizer.name_or_path
    if not tokenizer.chat_template:
        raise DataError(
            f"{name}: its tokenizer has no chat template, so it cannot be asked in a chat. Set "
            "chat_template: chatml, or start from an instruction-tuned model."
        )
    template = template_of(tokenizer, manifest)
    try:
        end = template.layout.turn_end
    except EngineError as error:
        raise DataError(str(error)) from error
    if not template.turn_end_ids and tokenizer.eos_token_id not in template.encode(end):
        raise DataError(
            f"{name}: its chat template ends a turn by {end!r}, which is no token of its own, so "
            f"that generation would not stop there. Set special_tokens: {{eos_token: "
            f"{end.strip()!r}}}, or another `chat_template:`."
        )
    return template


def check_stop(template: ChatTemplate) -> None:
    """Return if a judgment ends where GRPO takes it to end: at the tokenizer's EOS alone (TRL 1.9).

    Raises: DataError where turns end otherwise, so that every judgment would count as cut off.
    """
    tokenizer, ends = template.tokenizer, template.turn_end_ids
    if ends and tokenizer.eos_token_id not in ends:
        end = tokenizer.convert_ids_to_tokens(ends[0])
        raise DataError(
            f"{tokenizer.name_or_path}: rl: grpo takes a judgment to end at the tokenizer's EOS, "
            f"found {tokenizer.eos_token!r}; expected {end!r}, by which the chat template ends a "
            "turn, or every judgment would count as cut off. Set special_tokens: {eos_token: "
            f"{end!r}}}."
        )


def check_saved(template: ChatTemplate, manifest: DatasetManifest) -> None:
    """Return if the judge's tokenizer, once it is saved, will ask as it is trained.

    Raises: DataError where it would not.
    """
    with tempfile.TemporaryDirectory(prefix="ste-tokenizer-") as folder:
        template.tokenizer.save_pretrained(folder)
        saved = template_of(type(template.tokenizer).from_pretrained(folder), manifest)
    found, expected = (t.encode(t.prompt(_QUESTION)) for t in (saved, template))
    if found != expected:
        shown = [template.tokenizer.decode(ids) for ids in (found, expected)]
        raise DataError(
            f"{template.tokenizer.name_or_path}: its tokenizer, once saved, asks with "
            f"{_ends(shown[0])}, but is trained with {_ends(shown[1])}. {_CURE}"
        )


def prompt_turns(row: Mapping[str, Any], rows: str) -> Sequence[Mapping[str, str]]:
    """Return the turns of a row that are asked."""
    if rows == "sft":
        turns: Sequence[Mapping[str, str]] = row["messages"][:-1]
        return turns
    return row["prompt" if rows == "grpo" else "messages"]  # type: ignore[no-any-return]


def trained_tokens(
    template: ChatTemplate, row: Mapping[str, Any], rl: str | None
) -> Iterator[Trained]:
    """Yield what axolotl and TRL make of each judgment of a row, or of its prompt alone."""
    rows = row_format_of_rl(rl)
    if rows == "sft":
        yield Trained(*row_tokens(template, row), row["messages"][-1]["content"])
        return
    texts = TRANSFORMS[rows].texts(row, template)
    sources = {"chosen": "chosen", "rejected": "rejected", "completion": "reply"}
    for column in (c for c in sources if c in texts):
        judgment = row[sources[column]]["content"]
        yield Trained(*trl_tokens(template, texts["prompt"], texts[column], rl), judgment)
    if rows == "grpo":
        yield Trained(trl_tokens(template, texts["prompt"], "", rl)[0], [], None)


def trl_tokens(
    template: ChatTemplate, prompt: str, reply: str, rl: str | None
) -> tuple[list[int], list[int]]:
    """Return the tokens of a prompt and of a reply, as TRL makes them of two texts (1.9)."""
    tokenizer = template.tokenizer
    if reply and not reply.endswith(tokenizer.eos_token):
        reply += tokenizer.eos_token
    apart = rl in _TOKENIZED_APART
    asked, whole = (_tokenize(tokenizer, text, not apart) for text in (prompt, prompt + reply))
    learnt = whole[len(asked) :] if whole[: len(asked)] == asked else []
    bos = tokenizer.bos_token_id
    return ([bos, *asked] if apart and bos not in (None, *asked[:1]) else asked), learnt


def check_trained(place: str, template: ChatTemplate, asked: list[int], trained: Trained) -> None:
    """Return if the prompt trained on is the one that is asked, and the judgment learnt is whole.

    `asked`: the tokens of the prompt as every engine, lm-eval and the callback ask it.
    Raises: DataError where either is not so.
    """
    bos = template.tokenizer.bos_token
    if bos and trained.prompt[:2] == [template.tokenizer.bos_token_id] * 2:
        raise DataError(
            f"{place}: starts with two BOS tokens ({bos!r}), from the tokenizer and from its chat "
            "template. Set another `chat_template:` without one."
        )
    if trained.prompt != asked:
        found, expected = (template.tokenizer.decode(ids) for ids in (trained.prompt, asked))
        raise DataError(
            f"{place}: the prompt that would be trained on is not the one that is asked: found "
            f"{_ends(found)}, expected {_ends(expected)}. The trainer adds what the chat template "
            "does not write. Set a `chat_template:` that writes the BOS itself, or train without "
            "`rl`."
        )
    if trained.judgment is not None:
        check_learnt(place, template, trained.learnt, trained.judgment)


def check_learnt(place: str, template: ChatTemplate, learnt: list[int], judgment: str) -> None:
    """Return if a judgment, with its thought, and the end of the turn are learnt.

    Raises: DataError for what a template, or a tokenizer, loses.
    """
    split = split_thinking(judgment, template.marks)
    if not split.ended:
        raise DataError(
            f"{place}: a judgment whose thought never ends ({judgment[-40:]!r}), so that it says "
            "nothing. Generate the data set again."
        )
    text = without_marks(template.tokenizer.decode(learnt), template.marks)
    # where the prompt ends all thinking, none is learnt
    thought = "" if template.ends_thinking else without_marks(split.thinking, template.marks)
    at = 0
    for part in (thought, split.said.strip(), template.layout.turn_end.strip()):
        if (found := text.find(part, at)) < 0:
            part = _as_decoded(template, part)
            found = text.find(part, at)
        if found < 0:
            raise DataError(
                f"{place}: not learnt whole: expected {_ends(part)} in what would be trained on, "
                f"found {_ends(text)}. {_CURE}"
            )
        at = found + len(part)


def check_length(place: str, trained: Trained, sequence_len: int) -> None:
    """Raise DataError for a row that is too long."""
    length = len(trained.prompt) + len(trained.learnt)
    if length > sequence_len:
        raise DataError(
            f"{place}: {length} tokens, more than sequence_len {sequence_len}, so that the "
            "verdict would be cut off. Raise sequence_len, or generate with that "
            "dataset.sequence_len."
        )


@lru_cache(maxsize=2)
def _tokenize(tokenizer: Any, text: str, special: bool) -> list[int]:
    """Return the tokens of a text; both judgments of a preference row have one prompt."""
    return list(tokenizer(text, add_special_tokens=special)["input_ids"])


def _as_decoded(template: ChatTemplate, text: str) -> str:
    """Return a text as its tokens show it: some tokenizers normalise what they read."""
    return str(template.tokenizer.decode(template.encode(text))).strip()


def _ends(text: str) -> str:
    return repr(text if len(text) < 90 else f"{text[:40]} … {text[-40:]}")
