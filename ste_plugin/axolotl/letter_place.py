"""Where a judge's letter is in the tokens of what it learns to reply."""

from collections.abc import Sequence
from dataclasses import dataclass

from ste_plugin.engines.base import Message
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.choice_tokens import added_token
from ste_plugin.errors import ConfigError
from ste_plugin.judging import JudgeFormat
from ste_plugin.records import ORDERS

_QUESTION = (Message("user", "Is seven a prime?"),)
_FORMATS = "decision or verdict"


@dataclass(frozen=True, slots=True)
class LetterPlace:
    """The token of a reply that is the letter."""

    offset: int
    """Learnt tokens before it."""
    tokens: tuple[int, int]
    """Those of the letters, as in ORDERS."""


def letter_place(template: ChatTemplate, judge_format: JudgeFormat) -> LetterPlace:
    """Return where the letter is in the replies of a format.

    Raises: ConfigError for a format whose replies hold more than a letter, and where the letters
    are no single tokens at that place.
    """
    check_letters_alone(judge_format)
    replies = [learnt(template, reply_of(judge_format, letter)) for letter in ORDERS]
    different = [at for at, both in enumerate(zip(*replies, strict=False)) if len(set(both)) > 1]
    if len(replies[0]) != len(replies[1]) or len(different) != 1:
        raise _not_single(template, judge_format, replies)
    (at,) = different
    tokens = (replies[0][at], replies[1][at])
    # where it is asked: right behind the prompt and the closing words
    asked = template.answer_prompt(_QUESTION, judge_format.forced_prefix(""))
    ids = template.encode(asked)
    if tokens != tuple(added_token(ids, template.encode(asked + each)) for each in ORDERS):
        raise _not_single(template, judge_format, replies)
    return LetterPlace(at, tokens)


def reply_of(judge_format: JudgeFormat, letter: str) -> str:
    """Return the whole reply that says a letter."""
    return judge_format.forced_text(judge_format.forced_prefix(""), letter).strip()


def learnt(template: ChatTemplate, reply: str) -> list[int]:
    """Return the tokens that are learnt of a reply."""
    return template.training_ids(_QUESTION, reply)[1]


def check_letters_alone(judge_format: JudgeFormat) -> None:
    """Raise ConfigError for a format in which a judge says anything but one of two letters."""
    if what := what_else(judge_format):
        raise ConfigError(
            f"ste.decision: the data set's judge format {judge_format.name} {what}; expected one "
            "whose reply is the letter A or B alone. Generate the data set with judging.format: "
            f"{_FORMATS}, or remove ste.decision."
        )


def what_else(judge_format: JudgeFormat) -> str:
    """Return what judges of a format do but say one of two letters; empty where that is all."""
    if judge_format.pointwise:
        return "rates one answer at a time"
    if judge_format.reasons:
        return "writes reasons before its verdict"
    if tuple(judge_format.choices) != ORDERS:
        return f"answers with {', '.join(judge_format.choices) or 'no letter'}"
    return ""


def _not_single(
    template: ChatTemplate, judge_format: JudgeFormat, replies: Sequence[Sequence[int]]
) -> ConfigError:
    shown = " and ".join(str(template.tokenizer.convert_ids_to_tokens(list(r))) for r in replies)
    return ConfigError(
        f"{template.tokenizer.name_or_path}: its tokenizer writes the replies of the judge format "
        f"{judge_format.name} as {shown}; expected the same tokens but for one, the letter, as it "
        "is asked for. Generate the data set with another judging.format "
        f"({_FORMATS}), or start from another model."
    )
