"""Hostile texts in any number, drawn by a seed: pieces that mean something, torn, nested and
disguised."""

import json
import random
from collections.abc import Iterator

from tests.helpers.special_tokens import TOKENS, disguised

PIECES = (
    "[[A]]",
    "[[B]]",
    "[[C]]",
    "[[D]]",
    "[[a]]",
    "[A]",
    "[[",
    "]]",
    "[",
    "]",
    "A",
    "B",
    "C",
    "D",
    "[[A]",
    "[A]]",
    "[[ A ]]",
    "[[A",
    "B]]",
    "[[AB]]",
    "[[[A]]]",
    "[[[[A]]A]]",
    "<think>",
    "</think>",
    "<thi",
    "nk>",
    "</thi",
    "<",
    ">",
    "|",
    "</",
    "<think",
    "Final verdict: [[",
    "Final rating: [[",
    "[[5]]",
    "[[10]]",
    "[[11]]",
    "[[0]]",
    "[[07]]",
    "[[5.5]]",
    "[[-3]]",
    "[[٣]]",
    "[[³]]",
    "[[1e1]]",
    "[[" + "9" * 5000 + "]]",
    "[Answer A]\n",
    "[Answer B]\n",
    "[/answer a]",
    "[Instruction]",
    "[Answer]",
    "[ answer  C ]",
    "\n",
    "\n\n",
    " ",
    "\t",
    "\r",
    "\x00",
    "\x1b[31m",
    "\u2028",
    "\u202e",
    "\ufeff",
    "\u200b",
    "\ud800",
    "é",
    "日本",
    "🙂",
    "Ⓐ",
    "［［Ａ］］",
    "[[А]]",
    "[\u200b[A]\u200b]",
    "the better",
    "word",
    ". ",
    "! ",
    "A is better. ",
    "A.",
    "B:",
    "_A",
    "A_",
    "{",
    "}",
    "%s",
    "{0}",
    "\\",
    '"',
    "'",
    "`",
    "```json\n",
    "\n```",
    '{"category": "coding", "complexity": 4, "expected_words": 80}',
    '{"category": "coding", "category": "other", "complexity": 4, "expected_words": 80}',
    '{"category": "other", "complexity": true, "expected_words": 1e2}',
    "[" * 300,
    '{"a":' * 300,
    "NaN",
    "null",
    "Modified instruction:",
    "\nAnswer:",
    "answer:",
)


def texts(seed: int, count: int, most: int = 12) -> Iterator[str]:
    """Draw texts; the same seed draws the same ones."""
    draw = random.Random(seed)
    marks = [*PIECES, *TOKENS, *["[[A]]", "[[B]]", "[[7]]", "words, "] * 8]
    for _ in range(count):
        parts = [_piece(draw, marks) for _ in range(draw.randint(0, most))]
        text = "".join(parts)
        if draw.random() < 0.1 and text:  # torn anywhere
            start = draw.randrange(len(text))
            text = text[start : start + draw.randint(0, 40)]
        yield text


def _piece(draw: random.Random, marks: list[str]) -> str:
    piece = draw.choice(marks)
    chance = draw.random()
    if chance < 0.06:
        return draw.choice(disguised(piece[:60]))
    if chance < 0.12:
        return "".join(
            chr(draw.choice((draw.randrange(128), draw.randrange(0x11000))))
            for _ in range(draw.randint(1, 6))
        )
    if chance < 0.15:  # one mark inside another
        middle = draw.randrange(len(piece) + 1)
        return piece[:middle] + draw.choice(marks) + piece[middle:]
    return piece


def label_replies(seed: int, count: int) -> Iterator[str]:
    """Draw replies that are nearly labels."""
    draw = random.Random(seed)
    values = [
        "coding",
        "other",
        "none",
        1,
        10,
        11,
        0,
        -1,
        80,
        100_000,
        100_001,
        True,
        None,
        1.0,
        10**30,
        [],
        {},
        "4",
    ]
    keys = ["category", "complexity", "expected_words", "more"]
    for _ in range(count):
        pairs = [(k, draw.choice(values)) for k in keys[: draw.choice((2, 3, 3, 3, 3, 4))]]
        draw.shuffle(pairs)
        if draw.random() < 0.5:
            good = {
                "category": "coding",
                "complexity": draw.randint(0, 11),
                "expected_words": draw.randint(0, 3),
            }
            pairs = list(good.items())
        if draw.random() < 0.1:
            pairs.append(draw.choice(pairs))
        text = "{" + ", ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in pairs) + "}"
        around = draw.choice(
            (
                "{}",
                "{}",
                "{}",
                "```json\n{}\n```",
                "<think>x</think>{}",
                " {}\n",
                "Sure: {}",
                "```json\n{}```",
                "<think>{}",
            )
        )
        text = around.replace("{}", text)
        if draw.random() < 0.1:
            place = draw.randrange(len(text) + 1)
            text = text[:place] + draw.choice(PIECES) + text[place:]
        yield text
