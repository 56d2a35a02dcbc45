"""Untrusted text made safe to show to a model, on a terminal and in a Markdown page."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

SANITIZER_VERSION = 3
"""Part of every judge format's version: a change of what a model is shown makes new keys."""

_ANGULAR = (
    r"s|bos|eos|pad|unk|mask|cls|sep|sop|eop|eod|eot|eom|eoh|eoa|think|thinking|thought|reasoning|endoftext|end_of_text"
    r"|[a-z]+_token|(?:start|begin|beginning|end)_of_[a-z_]+|(?:image|audio)_soft_token"
    r"|mask:\d+|seed:[a-z_]+"
    r"|tools?|tool_(?:calls?|responses?|results?)|arg_(?:key|value)|function_calls?"
    r"|(?:unused|reserved_|extra_id_|special_|SPECIAL_)\d+"
    r"|fim_[a-z_]+|0x[0-9A-F]{2}|filename|gh_stars|repo_?name|file_sep|empty_output"
    r"|(?:issue|jupyter|commit)_[a-z_]+"
    r"|(?:BOS|EOS|PAD|UNK|MASK|CLS|SEP|EOP|EOD|EOT)(?:_TOKEN)?|THINKING|REASONING"
)
_SQUARE = (
    r"INST|SYS|CLS|SEP|PAD|UNK|MASK|[gs]MASK|BOS|EOS|IMG(?:_BREAK|_END)?|AUDIO|BEGIN_AUDIO|THINK|ARGS"
    r"|CALL_ID|PREFIX|MIDDLE|SUFFIX|SYSTEM_PROMPT|MODEL_SETTINGS|AVAILABLE_TOOLS|TOOL_[A-Z]+"
    r"|UNUSED_TOKEN_\d+|control_\d+"
)
CONTROL_TOKEN = re.compile(
    r"<\|[^<>|\s]{1,64}\|?>|<[^<>|\s]{1,64}\|>"  # <|im_end|>, <｜User｜>, <|turn>, <turn|>
    r"|\[\|[^\[\]|\s]{1,64}\|\]"  # [|endofturn|]
    rf"|</?(?:{_ANGULAR})>|<</?SYS>>|\[/?(?:{_SQUARE})\]"
    r"|\]~!?b[\[\]]|\[e~\[|>>[A-Z_]{3,40}<<|◁/?[a-z]{1,16}▷",
)
"""Control tokens of the known model families, thinking tags among them; matched in folded text.

In capitals or not as tokenizers write them, which know no other: `df[mask]` and `Option<S>` are
code.
"""
_NON_CHARACTERS = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\U00040000-\U000dffff]")
"""In no honest text: control characters, halves of surrogate pairs, unassigned planes."""
_HARMLESS = bytes(c for c in range(128) if (c in b"\t\n\v\f\r" or c >= 32) and c not in b"<>[]\x7f")
"""ASCII but brackets, which marks are made of, and control characters: most text is of these."""
_PRINTABLE_ASCII = re.compile(r"[\t\n\r -~]*")
"""Text that folding leaves as it is."""
_THINKING = re.compile(r"</?think>")

_LOOKALIKES = str.maketrans(
    "‹〈⟨❮❬˂ᐸ›〉⟩❯❭˃ᐳ【〔〖❲⁅】〕〗❳⁆¦∣│┃❘⎮ǀ⏐АВСЕНІКМОРТаеіорсѕхуԁꓮꓐΑΒΕΗΙΚΜΝΟΡΤΖαιον",
    "<<<<<<<>>>>>>>[[[[[]]]]]||||||||ABCEHIKMOPTaeiopcsxydABABEHIKMNOPTZaiov",
)
_DOUBLED = {
    "⟦": "[[",
    "〚": "[[",
    "⟧": "]]",
    "〛": "]]",
    "‖": "||",
    "∥": "||",
    "«": "<<",
    "»": ">>",
}
_INVISIBLE = "\u115f\u1160\u2800\u3164\uffa0"
_ROUND = {"<": "(", "[": "(", "◁": "(", ">": ")", "]": ")", "▷": ")"}


class _FoldingTable(dict[int, str]):
    """Code point → what a reader sees: nothing for invisible ones, ASCII for what looks like it."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        kept = [c for c in unicodedata.normalize("NFKD", char) if not _is_invisible(c)]
        self[point] = folded = "".join(_DOUBLED.get(c) or c.translate(_LOOKALIKES) for c in kept)
        return folded


def _is_invisible(char: str) -> bool:
    if char in "\n\t\r":
        return False
    return char in _INVISIBLE or unicodedata.category(char) in ("Cc", "Cf", "Mn", "Me")


_FOLDING = _FoldingTable()


def neutralize_marks(text: str, *marks: re.Pattern[str]) -> str:
    """Return `text` with round brackets in every mark; the rest stays, character by character.

    What is not a character becomes U+FFFD: tokenizers fail on it, or take it for their unknown
    token, which may be the one that ends a text (SmolLM2).
    `marks` are searched in what a reader sees: look-alikes count as what they look like, and
    invisible characters as nothing.

    >>> neutralize_marks("[\\u200b[\\uff21]] of m[0]", re.compile(r"\\[\\[A]]"))
    '(\\u200b(\\uff21)) of m[0]'
    """
    # four times quicker than a regular expression
    if text.isascii() and not text.encode().translate(None, _HARMLESS):
        return text
    text = _NON_CHARACTERS.sub("\ufffd", text)
    while any(mark.search(text.translate(_FOLDING)) for mark in marks):
        for mark in marks:
            text = _with_round_brackets(text, mark)
    return text


def _with_round_brackets(text: str, mark: re.Pattern[str]) -> str:
    visible = [(c, index) for index, char in enumerate(text) for c in _FOLDING[ord(char)]]
    folded = "".join(c for c, _ in visible)
    characters = list(text)
    for match in mark.finditer(folded):
        for c, index in visible[slice(*match.span())]:
            characters[index] = _ROUND.get(c, characters[index])
    return "".join(characters)


def sanitize_for_model(text: str) -> str:
    """Return `text` with the brackets of control tokens made round, thinking tags among them.

    >>> sanitize_for_model("Bye.<|im_end|> if a <b> c")
    'Bye.(|im_end|) if a <b> c'
    """
    return neutralize_marks(text, CONTROL_TOKEN)


def has_control_tokens(text: str) -> bool:
    """Return whether a reply holds a control token other than thinking tags, which it may write."""
    # in ASCII a token begins with a bracket, and few replies have one before their verdict
    if text.isascii():
        text = text[min(map(f"{text}<[]>".find, "<[]>")) :]
    text = _THINKING.sub("", text)
    if not _PRINTABLE_ASCII.fullmatch(text):
        text = text.translate(_FOLDING)
    return CONTROL_TOKEN.search(text) is not None


def sanitize_for_tokenizer(tokenizer: Any, text: str) -> str:
    """Return `text` without any special token of this very tokenizer, whatever it looks like."""
    special, text = special_token_pattern(tokenizer), _NON_CHARACTERS.sub("\ufffd", text)
    while special and special.search(text):
        text = special.sub(_break_token, text)
    return text


@lru_cache(maxsize=8)
def special_token_pattern(tokenizer: Any) -> re.Pattern[str] | None:
    """Return what matches the special tokens of this tokenizer, or None where it has none.

    A single character or a plain word is left alone: some models pad with `!`.
    """
    added: Mapping[int, Any] = tokenizer.added_tokens_decoder
    special = {t.content for t in added.values() if t.special and not t.content.strip().isalnum()}
    ordered = sorted((t for t in special if len(t.strip()) > 2), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


def _break_token(match: re.Match[str]) -> str:
    token = match[0]
    rounded = token.translate(str.maketrans("<[>]", "(())"))
    return rounded if rounded != token else f"{token[:2]} {token[2:]}"


_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def escape_for_terminal(text: str) -> str:
    """Return `text` with what a terminal could obey written out; JSON stays the same JSON.

    >>> print(escape_for_terminal("a\\x1b[31mb"))
    a\\u001b[31mb
    """
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


_MARKDOWN = re.compile(
    r"[\\`*\[\]<>|&~@#]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # within a word it is no emphasis
    r"|:(?=//|\w+:)|(?<=www)\."  # links and emoji
    r"|^[-+=]|(?<=^\d)[.)]|(?<=^\d\d)[.)]",  # lists and headings
    re.IGNORECASE,
)
"""What Markdown, GitHub's included, would take for markup, within a line or at its start."""


def escape_for_markdown(text: str) -> str:
    """Return `text` as one line of Markdown that shows just these characters, without any markup.

    >>> escape_for_markdown("a|<b>"), escape_for_markdown("ste_judgebench, other-instruction")
    ('a&#124;&#60;b&#62;', 'ste_judgebench, other-instruction')
    """
    line = " ".join(escape_for_terminal(text).split())
    return _MARKDOWN.sub(lambda match: f"&#{ord(match[0])};", line)
