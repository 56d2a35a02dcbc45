"""A judge format that a file says all of."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ste_plugin.engines.base import Message
from ste_plugin.errors import ConfigError
from ste_plugin.judging.format import JudgeFormat, neutralise
from ste_plugin.judging.verdict import Said
from ste_plugin.judging.written.format_file import FormatFile
from ste_plugin.judging.written.marks import Marks
from ste_plugin.judging.written.reading import mark_of, read_verdict, words_of
from ste_plugin.judging.written.templates import rendered
from ste_plugin.records import ORDERS, content_key
from ste_plugin.text.sanitize import SANITIZER_VERSION
from ste_plugin.text.thinking import split_thinking, with_families

_READER_VERSION = 1
"""Of this module and those beside it: what a format's words mean."""
_NO_WORDS = {"name", "like", "rubric", "max_new_tokens", "sample", "examples"}
"""Keys of a file that change neither what a judge is asked nor how it is read."""


@dataclass(frozen=True, slots=True)
class WrittenFormat(JudgeFormat):
    """How a judge is asked and answers, as a file says."""

    file: FormatFile = field(kw_only=True, hash=False)
    marks: Marks = field(kw_only=True, compare=False)
    """What in a text could speak for the prompt or for the judge."""
    row: Mapping[str, Any] = field(kw_only=True, default_factory=dict, hash=False)
    """The columns of the row that is judged."""

    @property
    def version(self) -> str:
        """Return the name and a hash of every word of the file that matters."""
        words = self.file.model_dump(mode="json", by_alias=True, exclude=_NO_WORDS)
        if not self.file.rates:  # so that a comparison's version is what it was before ratings
            del words["scores"]
            ((words["verdict"] or {}).get("json") or {}).pop("score", None)
        key = content_key(_READER_VERSION, SANITIZER_VERSION, words, self.rubric, self.criteria)
        return f"{self.name}-{key[:8]}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row that the templates show."""
        return self.file.columns

    @property
    def after_prompt(self) -> str:
        """What follows the prompt where a model has no chat template."""
        return self.file.without_chat_template

    @property
    def mark(self) -> Any:  # type: ignore[override]
        """What a verdict looks like in a reply."""
        return mark_of(self.file)

    @property
    def definition(self) -> dict[str, Any]:
        """The file, as JSON has it."""
        told = self.file.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return told | ({"rubric": dict(self.criteria)} if self.criteria else {})

    def with_words(self, words: str) -> "WrittenFormat":
        """Return the format with these words where its templates show {{ rubric }}."""
        return replace(self, rubric=words.strip())

    def for_row(self, row: Mapping[str, Any]) -> "WrittenFormat":
        """Return the format for one row. Raises: ConfigError where it lacks a column."""
        missing = [name for name in self.columns if name not in row]
        if missing:
            raise ConfigError(
                f"judge format {self.name}: shows the column {missing[0]!r}, which is not there; "
                f"found {', '.join(row) or 'no column'}. Add it to the data, or take it out of the "
                "format's `columns` and templates."
            )
        own: WrittenFormat = super(WrittenFormat, self).for_row(row)  # type: ignore[assignment]
        return replace(own, row={name: row[name] for name in self.columns})

    def render(self, instruction: str, answer_a: str, answer_b: str) -> tuple[Message, ...]:
        """Return the turns that the templates make of an instruction and two answers.

        Raises: ConfigError where a column that they show is missing, or is of another kind.
        """
        if self.columns and not self.row:
            self.for_row({})
        texts = {"instruction": instruction, **self.answers(answer_a, answer_b)}
        first, second = self.file.letters
        values = {"rubric": self.rubric, "first": first, "second": second} | {
            name: self._harmless(value) for name, value in {**self.row, **texts}.items()
        }
        try:
            return tuple(
                Message(turn.role, rendered(turn.template, values)) for turn in self.file.turns
            )
        except ValueError as error:
            raise ConfigError(
                f"judge format {self.name}: a template cannot show this row: {error}. Correct the "
                "template, or the column."
            ) from error

    def answers(self, answer_a: str, answer_b: str) -> dict[str, str]:
        """Return what templates show of two answers, by name."""
        return {"answer_a": answer_a, "answer_b": answer_b}

    def _harmless(self, value: Any) -> Any:
        """Return a text, or what holds texts, that can speak neither for us nor for the judge."""
        if isinstance(value, str):
            return self.marks.broken(neutralise(value.strip(), *self.marks.in_brackets))
        if isinstance(value, Mapping):
            return {str(key): self._harmless(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._harmless(inner) for inner in value]
        return "" if value is None else value

    @property
    def choices(self) -> Mapping[str, Said]:
        """What may be forced behind the closing words; nothing where a format has none."""
        return {f"{self._gap}{letter}": order for letter, order in self._forced().items()}

    def _forced(self) -> dict[str, Said]:
        if not self.file.closing or (self.file.verdict and self.file.verdict.scores):
            return {}
        letters = dict(zip(self.file.letters, ORDERS, strict=True))
        whole = all(self._completed(letter) for letter in letters)
        return dict(letters) if whole else {}

    @property
    def _gap(self) -> str:
        """The blanks at the end of the closing words, which a tokenizer makes part of a letter."""
        closing = self.file.closing
        return closing[len(closing.rstrip(" ")) :]

    def _completed(self, letter: str) -> str:
        """Return what a judge would write that begins with a letter: of a scale, its least step."""
        if not self.file.scale:
            return letter
        meant = dict(zip(self.file.letters, ORDERS, strict=True))[letter]
        steps = [s for s, said in words_of(self.file).items() if said == meant]
        steps = [step for step in steps if step.startswith(letter)]
        return (steps[-1] if meant == "A" else steps[0]) if steps else ""

    @property
    def wanted(self) -> str:
        """What a reply is to end with, for error messages."""
        if self.choices:
            return " or ".join(self.forced_text(self.closing, choice) for choice in self.choices)
        kind = "two scores" if self.file.verdict and self.file.verdict.scores else "a verdict"
        return f"{kind}, as `verdict` of its file reads it"

    def parse(self, text: str) -> Said:
        """Return the verdict of a reply, or the score; None when it gave no single one."""
        own = self.file.thinking
        marks = with_families((own.open, own.close) if own else None)
        return read_verdict(self.file, split_thinking(text, marks).said)

    def forced_text(self, prefix: str, letter: str) -> str:
        """Return the whole judgment that `prefix` and the drawn letter make."""
        word = letter.removeprefix(self._gap)
        completed = self._completed(word) if word in self.file.letters else word
        return f"{prefix}{self._gap}{completed}{self.file.after_letter}"
