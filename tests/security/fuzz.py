"""Inputs drawn by coverage: `python -m tests.security.fuzz replies|prompts|yaml -runs=1000000`.

The options are libFuzzer's. An input that breaks a promise ends the run, and is left in a file
crash-* of the working folder.
"""

import sys

import atheris

with atheris.instrument_imports(include=["ste_plugin", "yaml"]):
    import yaml

    from ste_plugin.engines.http.choice import read_choice
    from ste_plugin.instructions.selection.labels import CATEGORIES, parse_labels
    from ste_plugin.judging import neutralise, parse_verdict
    from ste_plugin.judging.builtin import FORMATS
    from ste_plugin.judging.choosing import parse_choice, parse_rating
    from ste_plugin.judging.verdict import official_verdict
    from ste_plugin.records import ORDERS
    from ste_plugin.text import safe_yaml
    from ste_plugin.text.sanitize import (
        escape_for_markdown,
        escape_for_terminal,
        sanitize_for_model,
    )
    from ste_plugin.text.thinking import split_thinking
    from tests.helpers.oracles import labels, named_choice, official, rating, score, verdict

WORDS = (
    "[[A]]",
    "[[B]]",
    "[[C]]",
    "[[",
    "]]",
    "<think>",
    "</think>",
    "[[10]]",
    "[Answer A]",
    "[Instruction]",
    "<|im_end|>",
    "</s>",
    "[INST]",
    "＜｜User｜＞",
    "［［Ａ］］",
    "\u200b",
    '{"category": "coding", "complexity": 4, "expected_words": 80}',
)
"""Drawn into the input by bytes from 0xC0, which UTF-8 text rarely holds."""


def text_of(data: bytes) -> str:
    """Read bytes as text in which marks are as likely as letters."""
    parts = [
        WORDS[b % len(WORDS)] if b >= 0xC0 else chr(b) if b < 0x80 else chr(0x80 + b * 37)
        for b in data
    ]
    return "".join(parts)


def replies(data: bytes) -> None:
    """Every parser agrees with its oracle, and a forced judgment is for the letter drawn."""
    for text in (text_of(data), data.decode("utf-8", "replace")):
        assert parse_verdict(text) == verdict(text)
        assert official_verdict(text) == official(text)
        assert parse_choice(text) == verdict(text, "ABCD")
        assert parse_rating(text) == rating(text)
        assert read_choice(split_thinking(text).said, ORDERS) == named_choice(text, ORDERS)
        found = parse_labels(text)
        said = found and (found.category, found.complexity, found.expected_words)
        assert said == labels(text, set(CATEGORIES))
        for form in FORMATS.values():
            prefix = form.forced_prefix(text, cut_off=len(text) % 2 == 0)
            spoken = str if form.only_choices else verdict  # the letter is the whole reply
            read = score if form.pointwise else spoken
            forced = {c: read(form.forced_text(prefix, c)) for c in form.choices}
            assert forced == form.choices


def prompts(data: bytes) -> None:
    """What is made plain stays so, keeps its length, and changes neither with the place nor the
    order."""
    text = text_of(data)
    plain = neutralise(text)
    assert neutralise(plain) == plain
    assert len(plain) == len(text)
    assert not any(
        mark in plain
        for mark in (
            "[[A]]",
            "[[B]]",
            "<think>",
            "</think>",
            "<|im_end|>",
            "</s>",
            "[INST]",
            "[Answer A]",
            "[Instruction]",
        )
    )
    assert sanitize_for_model(sanitize_for_model(text)) == sanitize_for_model(text)
    assert (
        escape_for_terminal(text).isprintable() or set("\n\t") & set(text) or not text.isprintable()
    )
    assert not set("<>|`[]\x1b\n") & set(escape_for_markdown(text))
    for form in FORMATS.values():
        (turn,) = form.render(text, text, "x")
        answers = ["Answer"] if form.pointwise else ["Answer A", "Answer B"]
        shown = [turn.content.count(f"\n[{label}]\n") for label in ("Instruction", *answers)]
        assert set(shown) == {1}


def yaml_text(data: bytes) -> None:
    """Any text is values, or an error of YAML."""
    try:
        safe_yaml.load(data.decode("utf-8", "replace"))
    except yaml.YAMLError:
        return


TARGETS = {"replies": replies, "prompts": prompts, "yaml": yaml_text}

if __name__ == "__main__":
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
