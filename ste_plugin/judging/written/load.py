"""Judge formats read from files, with every fault found before a judge is asked."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ste_plugin.errors import ConfigError
from ste_plugin.judging.format import JudgeFormat
from ste_plugin.judging.verdict import TIE, Said
from ste_plugin.judging.written.format_file import FormatFile, Rubric
from ste_plugin.judging.written.marks import marks_of
from ste_plugin.judging.written.written_format import WrittenFormat
from ste_plugin.judging.written.written_rating import WrittenRating
from ste_plugin.text import safe_yaml
from ste_plugin.text.settings_errors import validate_settings

DEFAULT = "default"
"""The category of a rubric that counts for all others."""
_SAID: dict[str, Said] = {"first": "A", "second": "B", "tie": TIE, "none": None}


def read_format(path: Path) -> FormatFile:
    """Return what a file says. Raises: ConfigError naming the file, the key and the cure."""
    return parse_format(safe_yaml.read(path, "docs/how-to/judge-formats.md has five"), str(path))


def parse_format(content: Mapping[str, Any], where: str) -> FormatFile:
    """Return what a file's content says. Raises: ConfigError naming the key and the cure."""
    return validate_settings(FormatFile, content, where)


def format_of(file: FormatFile, where: str) -> JudgeFormat:
    """Return the format that a file with turns writes.

    Raises: ConfigError where it does not read its own closing words, or a sample reply otherwise
    than the file says.
    """
    plain = file.rubric if isinstance(file.rubric, str) else ""
    kind = WrittenRating if file.rates else WrittenFormat
    written = kind(
        name=file.name or "",
        rubric=plain.strip(),
        closing=file.closing.rstrip(" "),
        reasons=file.reasons,
        max_new_tokens=file.max_new_tokens,
        file=file,
        marks=marks_of(file, plain),
    )
    if problems := [*_misread(written), *_unforced(written)]:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"{where}: {len(problems)} setting(s) to fix:\n{listed}")
    return written if plain or not file.rubric else with_rubric(written, file.rubric, where)


def with_rubric(judge_format: JudgeFormat, rubric: Rubric, where: str) -> JudgeFormat:
    """Return a format that judges by a rubric of somebody's own, one of all or one per category.

    Raises: ConfigError where the format has no place for it.
    """
    if not _has_place(judge_format):
        raise ConfigError(
            f"{where}: found a rubric for the format {judge_format.name!r}, whose prompt has no "
            "place for one; expected a format with {{ rubric }} in a template, or a built-in one. "
            "Show it there, or leave the rubric out."
        )
    criteria = {DEFAULT: rubric} if isinstance(rubric, str) else dict(rubric)
    return judge_format.with_criteria(criteria)


def _has_place(judge_format: JudgeFormat) -> bool:
    if not isinstance(judge_format, WrittenFormat):  # a plugin's may be of a class of its own
        return bool(getattr(judge_format, "rubric", "")) and hasattr(judge_format, "with_criteria")
    return any("rubric" in turn.template for turn in judge_format.file.turns)


def _misread(written: WrittenFormat) -> Iterator[str]:
    """Yield the sample replies that are read otherwise than the file says."""
    names = {said: name for name, said in _SAID.items()}
    for number, example in enumerate(written.file.examples):
        read = written.parse(example.reply)
        said = example.verdict
        if read != (said if isinstance(said, float) else _SAID[said]):
            yield (
                f"examples.{number}: read as {names.get(read, str(read))} in "
                f"{_end(example.reply)!r}; expected {example.verdict}. Correct `verdict`, which "
                "says how a reply is read, or the example"
            )


def _unforced(written: WrittenFormat) -> Iterator[str]:
    """Yield what is wrong with the closing words, by which a verdict is forced."""
    file = written.file
    if not file.closing:
        return
    if not written.choices:
        kind = "two scores" if file.verdict and file.verdict.scores else "steps"
        yield (
            f"closing: found {file.closing!r} before {kind}, of which none is a letter that can be "
            "forced; expected none. Leave it out"
        )
    for choice, meant in written.choices.items():
        text = written.forced_text(written.closing, choice)
        if (read := written.parse(text)) != meant:
            yield (
                f"closing: with the letter {choice.strip()} it makes {text!r}, in which `verdict` "
                f"reads {'nothing' if read is None else read}; expected what it would read in a "
                "reply. Correct closing, after_letter or verdict"
            )
            return


def _end(reply: str) -> str:
    return reply if len(reply) <= 60 else f"…{reply[-59:]}"
