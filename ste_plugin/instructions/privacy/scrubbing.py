"""Replacing personal data in instructions by placeholders, before anything else sees them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from ste_plugin.instructions.privacy.finders import Finder, make_finders
from ste_plugin.records import Instruction, content_key

if TYPE_CHECKING:
    from ste_plugin.config import PersonalData, PrivacyConfig


@dataclass(frozen=True, slots=True)
class PersonalDataMatch:
    """One piece of personal data in a text."""

    start: int
    end: int
    kind: "PersonalData"


@dataclass(frozen=True, slots=True)
class ScrubReport:
    """What scrubbing did, without any value that it found."""

    kinds: tuple[str, ...]
    """The kinds looked for."""
    instructions: int
    touched: int
    """Instructions in which something was found."""
    found: Mapping[str, int]
    """Kind → pieces replaced; a value that stands twice counts twice."""

    def told(self) -> dict[str, Any]:
        """Return it as privacy.json says it."""
        return {
            "scrub": list(self.kinds),
            "instructions": self.instructions,
            "touched": self.touched,
            "found": dict(self.found),
        }


def scrub(
    instructions: Sequence[Instruction], settings: "PrivacyConfig"
) -> tuple[list[Instruction], ScrubReport]:
    """Return the instructions with placeholders for personal data, keyed anew, and what was done.

    Raises: ConfigError where a library or a model that a kind needs is not installed.
    """
    if not settings.scrub:
        return list(instructions), ScrubReport((), len(instructions), 0, {})
    looking = make_finders(settings)
    counts: Counter[str] = Counter(dict.fromkeys(looking, 0))
    kept, touched = [], 0
    for instruction in instructions:
        pieces = find_matches(instruction.text, looking)
        counts.update(piece.kind for piece in pieces)
        touched += bool(pieces)
        kept.append(_with(instruction, replace_matches(instruction.text, pieces), looking))
    return kept, ScrubReport(tuple(looking), len(kept), touched, dict(counts))


def _with(
    instruction: Instruction, text: str, looking: Mapping["PersonalData", Finder]
) -> Instruction:
    """Return an instruction with another text; its source loses the ids that are e-mail addresses."""
    ids: dict[PersonalData, Finder] = {k: finder for k, finder in looking.items() if k == "email"}
    source = replace_matches(instruction.source, find_matches(instruction.source, ids))
    return replace(instruction, key=content_key("instruction", text), text=text, source=source)


def find_matches(text: str, looking: Mapping["PersonalData", Finder]) -> list[PersonalDataMatch]:
    """Return what stands in a text, in its order; where two overlap, the surer kind counts."""
    taken: list[PersonalDataMatch] = []
    for kind, finder in looking.items():
        for start, end in sorted(set(finder(text))):
            if all(end <= t.start or t.end <= start for t in taken):
                taken.append(PersonalDataMatch(start, end, kind))
        for found in taken:  # nothing is found in it, or beginning in it, again
            text = f"{text[: found.start]}{'|' * (found.end - found.start)}{text[found.end :]}"
    return sorted(taken, key=lambda piece: piece.start)


def replace_matches(text: str, pieces: Iterable[PersonalDataMatch]) -> str:
    """Return a text with `<EMAIL>` for an address, `<EMAIL_2>` for another one, and so on.

    A value that stands in it twice gets the same placeholder twice.
    """
    return "".join(_parts(text, pieces))


def _parts(text: str, pieces: Iterable[PersonalDataMatch]) -> Iterator[str]:
    numbers: dict[str, dict[str, int]] = {}
    place = 0
    for piece in pieces:
        seen = numbers.setdefault(piece.kind, {})
        number = seen.setdefault(text[piece.start : piece.end], len(seen) + 1)
        yield text[place : piece.start]
        yield f"<{piece.kind.upper()}{f'_{number}' if number > 1 else ''}>"
        place = piece.end
    yield text[place:]
