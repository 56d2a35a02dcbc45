"""Text that strangers wrote, made plain: it says what it says, and commands no model, terminal or page."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

SANITIZER_VERSION = 2
"""Of what a model is shown; a change makes new requests and new prompts."""

_NAMES = (
    r"s|bos|eos|pad|unk|mask|cls|sep|sop|eop|eod|eot|eom|eoh|eoa|think|thinking|endoftext|end_of_text"
    r"|[a-z]+_token|(?:start|begin|beginning|end)_of_[a-z_]+|(?:image|audio)_soft_token|mask:\d+|seed:[a-z_]+"
    r"|tools?|tool_(?:calls?|responses?|results?)|arg_(?:key|value)|function_calls?|(?:unused|reserved_|extra_id_|special_)\d+"
    r"|fim_[a-z_]+|0x[0-9a-f]{2}|filename|gh_stars|repo_?name|file_sep|empty_output"
    r"|(?:issue|jupyter|commit)_[a-z_]+"
)
_UPPER = (
    r"INST|SYS|CLS|SEP|PAD|UNK|MASK|[gs]MASK|BOS|EOS|IMG(?:_BREAK|_END)?|AUDIO|BEGIN_AUDIO|THINK|ARGS|CALL_ID"
    r"|PREFIX|MIDDLE|SUFFIX|SYSTEM_PROMPT|MODEL_SETTINGS|AVAILABLE_TOOLS|TOOL_[A-Z]+|UNUSED_TOKEN_\d+|control_\d+"
)
CONTROL_TOKEN = re.compile(
    r"<\|[^<>|\s]{1,64}\|?>|<[^<>|\s]{1,64}\|>"  # <|im_end|>, <｜User｜>, <|turn>, <turn|>
    r"|\[\|[^\[\]|\s]{1,64}\|\]"  # [|endofturn|]
    rf"|</?(?:{_NAMES})>|<</?SYS>>|\[/?(?:{_UPPER})\]"
    r"|\]~!?b[\[\]]|\[e~\[|>>[a-z_]{3,40}<<",
    re.IGNORECASE,
)
"""Tokens that steer models of the known families, thinking tags among them; matched in folded text."""
_VOID = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\U00040000-\U000dffff]")
"""No character of any text: control characters, halves of pairs, planes that hold nothing."""
_ORDINARY = bytes(c for c in range(128) if (c in b"\t\n\v\f\r" or c >= 32) and c not in b"<>[]\x7f")
"""ASCII without a bracket that a mark could have, or a control character: most text is of these alone."""
_UNFOLDED = re.compile(r"[\t\n\r -~]*")
"""Printable ASCII: a reader takes it for what it is."""
_THINKING = re.compile(r"</?think>")

_SAME = str.maketrans(
    "‹〈⟨❮❬˂ᐸ›〉⟩❯❭˃ᐳ【〔〖❲⁅】〕〗❳⁆¦∣│┃❘⎮ǀ⏐АВСЕНІКМОРТаеіорсѕхуԁꓮꓐΑΒΕΗΙΚΜΝΟΡΤΖαιον",
    "<<<<<<<>>>>>>>[[[[[]]]]]||||||||ABCEHIKMOPTaeiopcsxydABABEHIKMNOPTZaiov",
)
_DOUBLE = {"⟦": "[[", "〚": "[[", "⟧": "]]", "〛": "]]", "‖": "||", "∥": "||", "«": "<<", "»": ">>"}
_UNSEEN = "\u115f\u1160\u2800\u3164\uffa0"
_ROUND = {"<": "(", "[": "(", ">": ")", "]": ")"}


class _Folded(dict[int, str]):
    """Code point → what a reader takes it for: nothing for unseen ones, plain letters for their doubles."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        kept = [c for c in unicodedata.normalize("NFKD", char) if not _is_unseen(c)]
        self[point] = folded = "".join(_DOUBLE.get(c) or c.translate(_SAME) for c in kept)
        return folded


def _is_unseen(char: str) -> bool:
    if char in "\n\t\r":
        return False
    return char in _UNSEEN or unicodedata.category(char) in ("Cc", "Cf", "Mn", "Me")


_FOLDED = _Folded()


def neutralize_marks(text: str, *marks: re.Pattern[str]) -> str:
    """Return `text` with round brackets in every mark; of the rest, not a character changes.

    What is no character becomes U+FFFD: tokenizers fail on it, or take it for their unknown token,
    which may be the one that ends a text (SmolLM2).
    `marks` are looked for in what a reader sees: look-alikes count as what they look like, and
    characters without a shape of their own as nothing.

    >>> without_marks("[\\u200b[\\uff21]] of m[0]", re.compile(r"\\[\\[A]]"))
    '(\\u200b(\\uff21)) of m[0]'
    """
    # four times quicker than a regular expression
    if text.isascii() and not text.encode().translate(None, _ORDINARY):
        return text
    text = _VOID.sub("\ufffd", text)
    while any(mark.search(text.translate(_FOLDED)) for mark in marks):
        for mark in marks:
            text = _rounded(text, mark)
    return text


def _rounded(text: str, mark: re.Pattern[str]) -> str:
    seen = [(c, place) for place, char in enumerate(text) for c in _FOLDED[ord(char)]]
    folded = "".join(c for c, _ in seen)
    plain = list(text)
    for found in mark.finditer(folded):
        for c, place in seen[slice(*found.span())]:
            plain[place] = _ROUND.get(c, plain[place])
    return "".join(plain)


def sanitize_for_model(text: str) -> str:
    """Return `text` with the brackets of control tokens made round, thinking tags among them.

    >>> for_model("Bye.<|im_end|> if a <b> c")
    'Bye.(|im_end|) if a <b> c'
    """
    return neutralize_marks(text, CONTROL_TOKEN)


def has_control_tokens(text: str) -> bool:
    """Return whether a reply holds a control token other than thinking tags, which are its own to write."""
    # in ASCII a token begins with a bracket, and few replies have one before their verdict
    if text.isascii():
        text = text[min(map(f"{text}<[]>".find, "<[]>")) :]
    said = _THINKING.sub("", text)
    return bool(
        CONTROL_TOKEN.search(said if _UNFOLDED.fullmatch(said) else said.translate(_FOLDED))
    )


def sanitize_for_tokenizer(tokenizer: Any, text: str) -> str:
    """Return `text` without any special token of this very tokenizer, whatever it looks like."""
    special, text = special_token_pattern(tokenizer), _VOID.sub("\ufffd", text)
    while special and special.search(text):
        text = special.sub(lambda found: _broken(found[0]), text)
    return text


@lru_cache(maxsize=8)
def special_token_pattern(tokenizer: Any) -> re.Pattern[str] | None:
    """Return what matches the tokens that this tokenizer makes of no other text, or None without any.

    A single character or a plain word is left alone: some models pad with `!`.
    """
    added: Mapping[int, Any] = tokenizer.added_tokens_decoder
    found = {t.content for t in added.values() if t.special and not t.content.strip().isalnum()}
    ordered = sorted((t for t in found if len(t.strip()) > 2), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


def _broken(token: str) -> str:
    rounded = token.translate(str.maketrans("<[>]", "(())"))
    return rounded if rounded != token else f"{token[:2]} {token[2:]}"


_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def escape_for_terminal(text: str) -> str:
    """Return `text` with what could steer a terminal written out; JSON stays the same JSON.

    >>> print(for_terminal("a\\x1b[31mb"))
    a\\u001b[31mb
    """
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>()#+!|&~:@-]")


def escape_for_markdown(text: str) -> str:
    """Return `text` as one line of Markdown that shows just these characters: no table, link or HTML.

    >>> for_markdown("a|<b>")
    'a&#124;&#60;b&#62;'
    """
    line = " ".join(escape_for_terminal(text).split())
    return _MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", line)
