"""Replacing personal data in instructions by placeholders, before anything else sees them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import UNSET
from msgspec.structs import replace

from ste_plugin.instructions.privacy.finders import Finder, make_finders
from ste_plugin.instructions.privacy.forgotten import drop_forgotten
from ste_plugin.instructions.turns import with_turns
from ste_plugin.records import ChatTurn, Drop, Instruction, Turns
from ste_plugin.storage.jsonl import read_json, replace_json
from ste_plugin.text.nested_texts import texts_in, with_texts

if TYPE_CHECKING:
    from ste_plugin.config import PersonalData, PrivacyConfig

REPORT = "privacy.json"
Numbers = dict[str, dict[str, int]]
"""Kind → value → its number among those of the kind."""


@dataclass(frozen=True, slots=True)
class PersonalDataMatch:
    """One piece of personal data in a text."""

    start: int
    end: int
    kind: "PersonalData"


@dataclass(frozen=True, slots=True)
class ScrubReport:
    """What scrubbing did, without any value that it replaced."""

    kinds: tuple[str, ...]
    """The kinds looked for."""
    instructions: int
    changed: int
    """Instructions with at least one match."""
    counts: Mapping[str, int]
    """Kind → matches replaced; a value that occurs twice counts twice."""

    def to_dict(self) -> dict[str, Any]:
        """Return the content of privacy.json."""
        return {
            "scrub": list(self.kinds),
            "instructions": self.instructions,
            "touched": self.changed,
            "found": dict(self.counts),
        }


def apply_privacy(
    instructions: Iterable[Instruction], settings: "PrivacyConfig", root: Path, pool: Path
) -> Iterator[Instruction | Drop]:
    """Yield the instructions that a run may use, scrubbed, then a Drop for each forgotten one.

    Where anything is scrubbed, the counts are added to `pool`/privacy.json at the end.
    Raises: ConfigError where a library or a model that a kind needs is not installed.
    """
    scrubber = Scrubber(settings)
    yield from drop_forgotten(map(scrubber.scrub, instructions), root)
    if settings.scrub:
        add_report(pool, scrubber.report)


def add_report(pool: Path, report: ScrubReport) -> None:
    """Add what was done to `pool`/privacy.json, where other texts may have been counted before."""
    path, added = pool / REPORT, report.to_dict()
    before = read_json(path) if path.exists() else {}
    for name in ("instructions", "touched"):
        added[name] += before.get(name, 0)
    found = before.get("found", {})
    added["found"] = {kind: n + found.get(kind, 0) for kind, n in added["found"].items()}
    replace_json(path, added)


def remove_report(pool: Path) -> None:
    """Remove `pool`/privacy.json, as what it counts is read anew."""
    (pool / REPORT).unlink(missing_ok=True)


def read_scrub_counts(pool: Path) -> dict[str, Any]:
    """Return `{"scrubbed": {kind: count}}` of a pool, empty where nothing was looked for."""
    path = pool / REPORT
    return {"scrubbed": read_json(path)["found"]} if path.exists() else {}


class Scrubber:
    """Replaces personal data in instructions, and counts it."""

    def __init__(self, settings: "PrivacyConfig") -> None:
        """Load what finds each kind.

        Raises: ConfigError where a library or a model that a kind needs is not installed.
        """
        self._finders = make_finders(settings) if settings.scrub else {}
        self._counts: Counter[str] = Counter(dict.fromkeys(self._finders, 0))
        self._instructions = self._changed = 0

    def scrub(self, instruction: Instruction) -> Instruction:
        """Return an instruction with placeholders for personal data, under a new key."""
        return self._scrub(instruction)[0]

    def scrub_pair(
        self, prompt: Instruction, better: str, worse: str
    ) -> tuple[Instruction, str, str]:
        """Return a labelled pair with placeholders; it counts as an instruction."""
        scrubbed, (first, second) = self._scrub(prompt, better, worse)
        return scrubbed, first, second

    def _scrub(self, instruction: Instruction, *answers: str) -> tuple[Instruction, list[str]]:
        """Return an instruction and answers to it with placeholders, alike in all its texts but
        the final answer."""
        self._instructions += 1
        if not self._finders:
            return instruction, list(answers)
        asked = _texts_of(instruction)
        columns = instruction.columns or ()
        texts = [*asked, *answers, *texts_in(dict(columns))]
        replaced = self.scrub_texts(texts)
        said = iter(replaced)
        scrubbed = _scrubbed(instruction, list(islice(said, len(asked))), self._finders)
        answered = list(islice(said, len(answers)))
        beside = tuple((name, with_texts(value, lambda _: next(said))) for name, value in columns)
        final = instruction.final_answer or ""
        in_final = find_matches(final, self._finders)
        self._counts.update(match.kind for match in in_final)
        self._changed += replaced != texts or bool(in_final)
        final = replace_matches(final, in_final)
        return replace(scrubbed, final_answer=final or UNSET, columns=beside or UNSET), answered

    def scrub_texts(self, texts: Sequence[str]) -> list[str]:
        """Return texts that belong together with placeholders for personal data.

        A value has the same placeholder in all of them.
        """
        numbers: Numbers = {}
        matches = [find_matches(text, self._finders) for text in texts]
        self._counts.update(match.kind for of_text in matches for match in of_text)
        both = zip(texts, matches, strict=True)
        return ["".join(_parts(text, of_text, numbers)) for text, of_text in both]

    @property
    def report(self) -> ScrubReport:
        """What was done so far."""
        counts = dict(self._counts)
        return ScrubReport(tuple(self._finders), self._instructions, self._changed, counts)


def scrub(
    instructions: Iterable[Instruction], settings: "PrivacyConfig"
) -> tuple[list[Instruction], ScrubReport]:
    """Return the instructions as a Scrubber makes them, and its report.

    Raises: ConfigError where a library or a model that a kind needs is not installed.
    """
    scrubber = Scrubber(settings)
    scrubbed = [scrubber.scrub(instruction) for instruction in instructions]
    return scrubbed, scrubber.report


def _texts_of(instruction: Instruction) -> list[str]:
    """Return the texts of an instruction: its turns, or what the system says and what is asked."""
    if instruction.turns:
        return [turn.content for turn in instruction.turns]
    text, told = instruction.text, instruction.told or 0
    return [text[:told], text[told:]] if told else [text]


def _scrubbed(
    instruction: Instruction, texts: Sequence[str], finders: Mapping["PersonalData", Finder]
) -> Instruction:
    """Return an instruction of other texts, as `_texts_of` has them; its source loses ids that are
    e-mail addresses."""
    turns: Turns = (ChatTurn("user", "".join(texts)),)
    if said := instruction.turns:
        turns = tuple(replace(turn, content=text) for turn, text in zip(said, texts, strict=True))
    told = len(texts[0]) if instruction.told else UNSET
    emails: dict[PersonalData, Finder] = {k: f for k, f in finders.items() if k == "email"}
    source = replace_matches(instruction.source, find_matches(instruction.source, emails))
    return with_turns(replace(instruction, source=source, told=told), turns)


def find_matches(text: str, finders: Mapping["PersonalData", Finder]) -> list[PersonalDataMatch]:
    """Return the personal data in a text, in order; where two overlap, the surer kind wins."""
    matches: list[PersonalDataMatch] = []
    for kind, finder in finders.items():
        for start, end in sorted(set(finder(text))):
            if all(end <= match.start or match.end <= start for match in matches):
                matches.append(PersonalDataMatch(start, end, kind))
        for match in matches:  # later kinds match nothing in it, nor from within it
            masked = "|" * (match.end - match.start)
            text = f"{text[: match.start]}{masked}{text[match.end :]}"
    return sorted(matches, key=lambda match: match.start)


def replace_matches(text: str, matches: Iterable[PersonalDataMatch]) -> str:
    """Return a text with `<EMAIL>` for an address, `<EMAIL_2>` for another one, and so on.

    A value that occurs twice gets the same placeholder twice.
    """
    return "".join(_parts(text, matches, {}))


def _parts(text: str, matches: Iterable[PersonalDataMatch], numbers: Numbers) -> Iterator[str]:
    position = 0
    for match in matches:
        of_kind = numbers.setdefault(match.kind, {})
        number = of_kind.setdefault(text[match.start : match.end], len(of_kind) + 1)
        yield text[position : match.start]
        yield f"<{match.kind.upper()}{f'_{number}' if number > 1 else ''}>"
        position = match.end
    yield text[position:]
