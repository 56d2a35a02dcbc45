"""The one place that knows how models think: where a thought begins and ends, and what is said.

Marks are from the models' published chat templates and tokenizers.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple


class Marks(NamedTuple):
    """What one family of models writes around its thoughts."""

    open: str
    close: str
    """What ends the last thought: the answer follows."""
    form: str = "{open}\n{thought}\n{close}\n\n"
    """How a thought before an answer is written."""


TAGS = Marks("<think>", "</think>")
"""What most models write, and how a thought is kept that a server told apart."""
HARMONY = Marks(
    "<|channel|>analysis<|message|>",
    "<|channel|>final<|message|>",
    "{open}{thought}<|end|><|start|>assistant{close}",
)
"""gpt-oss: channels, of which the last is the answer."""
FAMILIES = (
    TAGS,  # Qwen3, DeepSeek-R1, Phi-4 reasoning, GLM, Nemotron, Olmo, SmolLM3, EXAONE 4
    Marks("<thinking>", "</thinking>"),
    Marks("<thought>", "</thought>"),  # EXAONE Deep
    Marks("<seed:think>", "</seed:think>"),  # Seed-OSS
    Marks("[THINK]", "[/THINK]", "{open}{thought}{close}"),  # Magistral
    Marks("<reasoning>", "</reasoning>"),
    Marks("◁think▷", "◁/think▷"),  # Kimi
    Marks("<|begin_of_thought|>", "<|end_of_thought|>"),  # Sky-T1, OpenThinker
    Marks("<|START_THINKING|>", "<|END_THINKING|>", "{open}{thought}{close}"),  # Command A
    Marks("<|inner_prefix|>", "<|inner_suffix|>", "{open}{thought}{close}"),  # Apertus
    Marks("<|channel>thought\n", "<channel|>", "{open}{thought}\n{close}"),  # Gemma 4
    HARMONY,
    HARMONY._replace(open="<|channel|>commentary<|message|>"),
)
_BARE_HARMONY = re.compile(r"analysis(?=[^\W_]|[\"'(*#\[])|final(?=[A-Z\"'(*#\[\d])")
"""How a reply in channels begins where a server left out the special tokens. Words begin with
"final", but none with "analysis"."""
_HARMONY_JOINT = re.compile(r"<\|end\|><\|start\|>assistant(?=<\|channel\|>)")
"""What stands between two channels."""
_BARE_FINAL = re.compile(r"(?:^\s*|assistant)final")
_RESPONSE_OPENS = re.compile(r"\s*(?:<\|START_(?:RESPONSE|TEXT)\|>\s*)?")
_RESPONSE_ENDS = re.compile(r"(?:<\|(?:return|end|END_RESPONSE|END_TEXT)\|>\s*)+$")
"""What stands around an answer where a server keeps special tokens."""
_GOES_ON = re.compile(r"[.,;:!?)\]*_]+(?:\s|[,.;:]|$)")
"""How a sentence about a mark goes on right behind it; no answer begins so."""
_INLINE_CODE = re.compile(r"(?<!`)(`{1,3})(?!`)[^`\n]+\1")


class Split(NamedTuple):
    """A reply, taken apart: together the whole of it, but for special tokens at its end."""

    thinking: str
    """All that stands before the answer, marks included; empty where nothing was thought."""
    said: str
    """The answer; empty where the thinking never ends."""
    ended: bool
    """Whether there is an answer: no thought is left open."""


def split_thinking(
    text: str, marks: tuple[Marks, ...] = FAMILIES, *, opened: bool = False
) -> Split:
    """Return a reply taken apart into thinking and answer.

    `opened`: the prompt ended within a thought. A closing mark without an opening one says so, too.
    Of several thoughts the answer follows the last. Marks in quotes or code are mentioned, not
    written.

    >>> split_thinking("<think>A? [[A]]</think>It is [[B]]").said
    'It is [[B]]'
    >>> split_thinking("<think>It never ends. [[A]]")
    Split(thinking='<think>It never ends. [[A]]', said='', ended=False)
    >>> split_thinking("First, [[A]] is", opened=True).ended
    False
    """
    if not opened and not _may_think(text, marks):
        return Split("", text, ended=True)
    if _BARE_HARMONY.match(text.lstrip()):
        return _split_bare_harmony(text)
    if not opened and not _patterns(marks).either.search(text):
        return Split("", text, ended=True)
    mentions = _mentions(text, marks)
    opens, closes = (
        list(_written(pattern, text, mentions))
        for pattern in (_patterns(marks).open, _patterns(marks).close)
    )
    start = closes[-1].end() if closes else 0
    is_open = any(m.start() >= start for m in opens) or (opened and not closes)
    if is_open:
        return Split(text, "", ended=False)
    if not start:
        return Split("", text, ended=True)
    opening = _RESPONSE_OPENS.match(text, start)
    end = opening.end() if opening else start
    return Split(text[:end], _RESPONSE_ENDS.sub("", text[end:]), ended=True)


def in_tags(thought: str) -> str:
    """Return a thought that a server told apart, as it is kept: in the commonest marks."""
    return TAGS.form.format(open=TAGS.open, close=TAGS.close, thought=thought.strip())


def without_marks(thinking: str, marks: tuple[Marks, ...] = FAMILIES) -> str:
    """Return the words of a thought, or of several, without the marks around them.

    >>> without_marks("<think>\\nHm.\\n</think>\\n\\n")
    'Hm.'
    """
    if HARMONY in marks:
        thinking = _HARMONY_JOINT.sub("", thinking)
    written = _written(_patterns(marks).either, thinking, _mentions(thinking, marks))
    for match in reversed(list(written)):
        thinking = thinking[: match.start()] + thinking[match.end() :]
    return thinking.strip()


def with_families(own: tuple[str, str] | None) -> tuple[Marks, ...]:
    """Return the marks to look for: a model's own, open and close, before the known ones."""
    return (Marks(*own), *FAMILIES) if own else FAMILIES


def closes_unopened(thinking: str, marks: tuple[Marks, ...] = FAMILIES, said: str = "") -> bool:
    """Return whether a thought ends that did not begin in the reply: its prompt opened it.

    An answer's channel is opened by the model itself. `said`: what follows, where that is known.

    >>> closes_unopened("Hm.</think>"), closes_unopened("<think>Hm.</think>")
    (True, False)
    """
    closes = any(m.close in thinking for m in marks if m.close != HARMONY.close)
    opens = any(m.open in thinking for m in marks)
    return closes and not opens and not is_spoken_of(thinking, marks, said)


def ends_in_opening(prompt: object, marks: tuple[Marks, ...] = FAMILIES) -> bool:
    """Return whether a rendered prompt ends with a mark that opens a thought."""
    opens = tuple(m.open.strip() for m in marks)
    return isinstance(prompt, str) and prompt.rstrip().endswith(opens)


def is_spoken_of(thinking: str, marks: tuple[Marks, ...] = FAMILIES, said: str = "") -> bool:
    """Return whether the closing mark that ends a thought stands between words or punctuation, as
    in a sentence about it: no sign of how the model itself thinks.

    >>> is_spoken_of("It forgot the </think> "), is_spoken_of("Up to </think>", said=". Then")
    (True, True)
    """
    if any(thinking.endswith(f" {m.close} ") for m in marks):
        return True
    return any(thinking.endswith(m.close) for m in marks) and bool(_GOES_ON.match(said))


def find_marks(*places: str) -> tuple[Marks, ...]:
    """Return the families whose closing mark occurs in texts, as in a chat template."""
    return tuple(m for m in FAMILIES if any(m.close.strip() in place for place in places))


def _may_think(text: str, marks: tuple[Marks, ...]) -> bool:
    """Return whether a mark may be in a text: most replies have none, and there are millions."""
    for first, needle in _needles(marks):
        if first in text and needle in text:
            return True
    return HARMONY in marks and _BARE_HARMONY.match(text.lstrip()) is not None


@cache
def _needles(marks: tuple[Marks, ...]) -> frozenset[tuple[str, str]]:
    """Return what a text with a mark holds for certain: a first character, or a mark that begins
    with it where that is not rare."""
    every = {mark for m in marks for mark in (m.open, m.close)}
    common = {mark for mark in every if mark[0] == "[" or mark[0].isalnum()}
    return frozenset((mark[0], mark if mark in common else mark[0]) for mark in every)


def _split_bare_harmony(text: str) -> Split:
    finals = list(_BARE_FINAL.finditer(text))
    if not finals:
        return Split(text, "", ended=False)
    end = finals[-1].end()
    return Split(text[:end], text[end:], ended=True)


def _written(
    pattern: re.Pattern[str], text: str, mentions: list[tuple[int, int]]
) -> Iterator[re.Match[str]]:
    """Yield the marks that are written, not mentioned, in their order."""
    for match in pattern.finditer(text):
        if not any(start <= match.start() < end for start, end in mentions):
            yield match


def _mentions(text: str, marks: tuple[Marks, ...]) -> list[tuple[int, int]]:
    """Return where a text quotes, or shows as code: there it mentions marks.

    A fence or a backtick that is never closed shows nothing: a thought may break off within it.
    """
    found = list(_spans(_patterns(marks).quoted, text))
    fences = [m.start() for m in _patterns(marks).fence.finditer(text)]
    if len(fences) % 2 == 0:
        found += zip(fences[::2], fences[1::2], strict=True)
    start = 0
    for line in text.splitlines(keepends=True):
        if line.count("`") % 2 == 0:
            found += ((start + a, start + b) for a, b in _spans(_INLINE_CODE, line))
        start += len(line)
    return found


def _spans(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in pattern.finditer(text))


class _Patterns(NamedTuple):
    open: re.Pattern[str]
    close: re.Pattern[str]
    either: re.Pattern[str]
    quoted: re.Pattern[str]
    """One mark, or a thought of a line, in quotes."""
    fence: re.Pattern[str]
    """What begins or ends a block of code."""


@cache
def _patterns(marks: tuple[Marks, ...]) -> _Patterns:
    """Return what matches marks, and what mentions them."""

    def any_of(texts: set[str]) -> str:
        return "|".join(sorted(map(re.escape, texts), key=len, reverse=True))

    opens, closes = any_of({m.open for m in marks}), any_of({m.close for m in marks})
    behind_thought = "|".join(sorted(f"(?<={re.escape(m.close)})" for m in marks))
    mark_or_both = rf"(?:(?:{opens})[^\n]{{0,400}}?(?:{closes})|{opens}|{closes})"
    # a quotation mark right behind a word ends a quotation, and one right before a word begins one
    begins = rf"(?:(?<![\w.,!?)\]}}])|{behind_thought})"
    return _Patterns(
        open=re.compile(opens),
        close=re.compile(closes),
        either=re.compile(f"{opens}|{closes}"),
        quoted=re.compile(rf"{begins}([\"'`]){mark_or_both}\1(?!\w)"),
        fence=re.compile(rf"(?:^ {{0,3}}|{behind_thought})(?:```|~~~)", re.MULTILINE),
    )
