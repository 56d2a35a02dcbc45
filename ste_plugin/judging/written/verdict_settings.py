"""How a format's file says that verdicts are read."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from ste_plugin.config.base import Strict
from ste_plugin.errors import ConfigError
from ste_plugin.judging.written.linear import compile_linear

LETTER, SCORE = "{letter}", "{score}"
"""Where the letter, or the score of the one answer that is rated, stands in `marks`."""
KINDS = ("marks", "pattern", "json")
_SCORES = {"first", "second"}
_KINDS_OF_GROUPS = ({"letter"}, _SCORES, {"score"})


class JsonPaths(Strict):
    """Where in a reply's JSON object the verdict is, as `winner` or `result.scores.0`."""

    letter: str | None = None
    """Of a letter, or a step of the scale."""
    first: str | None = None
    """Of the first answer's score."""
    second: str | None = None
    """Of the second answer's score."""
    score: str | None = None
    """Of the score of the one answer that a prompt shows."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> "JsonPaths":
        named = {k for k in ("letter", "first", "second", "score") if getattr(self, k)}
        if named not in _KINDS_OF_GROUPS:
            raise ValueError(
                f"found {', '.join(sorted(named)) or 'nothing'}; expected letter, or first and "
                "second, of which the higher score wins, or score, of the one answer that is rated "
                "alone. Keep one of them"
            )
        return self


class VerdictSettings(Strict):
    """How a verdict is read: by one of marks, pattern and json."""

    marks: str | None = Field(default=None, examples=["[[{letter}]]"])
    """The words around a letter, with {letter} in its place; or around a score, with {score}."""
    pattern: str | None = None
    """An expression of RE2 with a group named letter, or with two named first and second, for
    scores of which the higher wins, or with one named score, where each answer is rated alone."""
    json_: JsonPaths | None = Field(default=None, alias="json")
    """Paths within the JSON object of a reply."""
    take: Literal["only", "first", "last"] = "only"
    """Which verdict counts where a reply holds several. `only`: none, unless they are the same."""

    @property
    def scores(self) -> bool:
        """Whether two scores are read, rather than a letter."""
        if self.json_:
            return self.json_.first is not None
        return self.pattern is not None and "first" in compile_linear(self.pattern).groups

    @property
    def rates(self) -> bool:
        """Whether the score of one answer is read, which a prompt shows alone."""
        if self.json_:
            return self.json_.score is not None
        if self.marks:
            return SCORE in self.marks
        return self.pattern is not None and "score" in compile_linear(self.pattern).groups

    @field_validator("marks")
    @classmethod
    def _holds_the_letter(cls, value: str | None) -> str | None:
        if value is not None and value.count(LETTER) + value.count(SCORE) != 1:
            raise ValueError(
                f"found {value!r}; expected {LETTER} once, where the letter stands, as "
                f"'[[{LETTER}]]' (or {SCORE}, where each answer is rated alone). Put it there"
            )
        return value

    @field_validator("pattern")
    @classmethod
    def _is_linear(cls, value: str | None) -> str | None:
        if value is None:
            return value
        try:
            groups = set(compile_linear(value).groups)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        if groups & {"letter", *_SCORES, "score"} not in _KINDS_OF_GROUPS:
            raise ValueError(
                f"found {value!r} with {listed(groups)}; expected a group (?P<letter>…), or two, "
                "(?P<first>…) and (?P<second>…), of which the higher score wins, or (?P<score>…), "
                "where each answer is rated alone. Name them"
            )
        return value

    @model_validator(mode="after")
    def _is_one_kind(self) -> "VerdictSettings":
        given = [kind for kind in KINDS if getattr(self, "json_" if kind == "json" else kind)]
        if len(given) != 1:
            raise ValueError(
                f"found {' and '.join(given) or 'none of them'}; expected one of marks, pattern "
                "and json. Keep the one by which its authors read it"
            )
        return self


def listed(names: set[str]) -> str:
    """Return names in words."""
    return ", ".join(sorted(names)) or "no named group"
