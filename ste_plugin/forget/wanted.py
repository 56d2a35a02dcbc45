"""What is to be forgotten, and which instructions that means."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ste_plugin.context import RunContext
from ste_plugin.errors import ConfigError, SteError
from ste_plugin.instructions.privacy import scrub
from ste_plugin.instructions.privacy.forgotten import forgotten_hash, read_forgotten
from ste_plugin.instructions.sources import read_instructions
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.records import Instruction, Judgment, ResponsePair
from ste_plugin.storage.jsonl import iter_records


@dataclass(frozen=True, slots=True)
class ForgetQuery:
    """A pattern that texts match, or the key of one instruction."""

    pattern: re.Pattern[str] | None = None
    key: str = ""

    @classmethod
    def read(cls, match: str = "", regex: str = "", key: str = "") -> "ForgetQuery":
        """Return what the command's options ask for; `match` is plain text in any letter case.

        Raises: ConfigError unless exactly one of them is given and can be used.
        """
        if sum(map(bool, (match.strip(), regex, key))) != 1:
            found = [n for n, v in (("--match", match), ("--regex", regex), ("--key", key)) if v]
            raise ConfigError(
                f"ste forget: found {' and '.join(found) or 'nothing'} to forget by; expected one of --match TEXT, "
                "--regex R or --key K."
            )
        if key:
            return cls(key=key)
        try:
            pattern = re.compile(regex or re.escape(match), re.I if match else 0)
        except re.error as error:
            raise ConfigError(
                f"--regex {regex!r}: not a regular expression ({error}). Mend it, or give plain text: --match."
            ) from error
        if pattern.search(""):
            raise ConfigError(
                f"--regex: found {regex!r}, which matches every text; expected one that tells, as 'Jane D.*'."
            )
        return cls(pattern)

    def matches(self, *texts: str) -> bool:
        """Return whether the pattern is in one of these texts."""
        return self.pattern is not None and any(self.pattern.search(text) for text in texts)


@dataclass
class Selection:
    """The instructions that go, and where they came from."""

    instructions: dict[str, Instruction] = field(default_factory=dict)
    pairs: dict[str, ResponsePair] = field(default_factory=dict)
    """Pair key → pair: theirs, and those of other instructions that hold an answer to one of them."""
    owners: dict[str, str] = field(default_factory=dict)
    """Pair key → the instruction for whose sake it goes."""
    by_answers: set[str] = field(default_factory=set)
    """Keys of those whose own text does not match, but what was written or judged of them does."""
    sources: dict[str, list[str]] = field(default_factory=dict)
    """Key → the places in the user's own files that still hold it."""
    unread: list[str] = field(default_factory=list)
    """Sources that could not be looked into, and why."""

    def names(self, text: str) -> bool:
        """Return whether a line of a derived file names one of them or of their pairs."""
        return any(key in self.instructions or key in self.pairs for key in keys_in(text))


_KEY = re.compile(r"(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])")


def keys_in(text: str) -> Iterator[str]:
    """Yield what could be a content key in a text."""
    return (found[0] for found in _KEY.finditer(text))


def files_named(root: Path, *names: str) -> list[Path]:
    """Return the files of these names anywhere in a run, set aside ones included."""
    return sorted(path for name in names for path in root.rglob(name) if path.is_file())


def doomed(context: RunContext, wanted: ForgetQuery) -> Selection:
    """Return what a run, its sources and its list of forgotten ones have of what is wanted.

    An instruction also goes if what was made of it matches, since that would be made again; and what
    an earlier, interrupted forgetting has left is finished.
    """
    root, found = context.folder.root, Selection()
    before = {entry.hash for entry in read_forgotten(root)}
    pairs = {
        p.key: p
        for path in files_named(root, "pairs.jsonl")
        for p in iter_records(path, ResponsePair)
    }
    known = list(_candidates(context, pairs.values(), found.unread))
    for instruction, raw in known:
        key = instruction.key
        left = not raw and forgotten_hash(key) in before
        if wanted.matches(instruction.text, raw) or key == wanted.key or left:
            found.instructions[key] = instruction
    _add_pairs(found, pairs)
    made = _made_of(root, {k: p for k, p in pairs.items() if k not in found.pairs}, wanted)
    found.by_answers = made - found.instructions.keys()
    found.instructions |= {i.key: i for i, _ in known if i.key in found.by_answers}
    _add_pairs(found, pairs)
    for instruction, raw in known:
        if raw and instruction.key in found.instructions:
            found.sources.setdefault(instruction.key, []).append(instruction.source)
    return found


def _add_pairs(found: Selection, pairs: dict[str, ResponsePair]) -> None:
    """Add the pairs of the instructions that go, and others' pairs with an answer to one of them."""
    mine = {k: p for k, p in pairs.items() if p.instruction_key in found.instructions}
    answered = {pair.better: pair.instruction_key for pair in mine.values()}
    borrowed = {k: p for k, p in pairs.items() if p.worse in answered and k not in mine}
    found.pairs |= mine | borrowed
    found.owners |= {key: pair.instruction_key for key, pair in mine.items()}
    found.owners |= {key: answered[pair.worse] for key, pair in borrowed.items()}


def _made_of(root: Path, pairs: dict[str, ResponsePair], wanted: ForgetQuery) -> set[str]:
    """Return the instructions of which an answer or a judgment matches."""
    found = {p.instruction_key for p in pairs.values() if wanted.matches(p.better, p.worse)}
    for path in files_named(root, "judgments.jsonl") if wanted.pattern else []:
        for judgment in iter_records(path, Judgment):
            if judgment.pair_key in pairs and wanted.matches(judgment.text):
                found.add(pairs[judgment.pair_key].instruction_key)
    return found


def _candidates(
    context: RunContext, pairs: Iterable[ResponsePair], unread: list[str]
) -> Iterator[tuple[Instruction, str]]:
    """Yield every instruction known, those from sources with the text that stands there."""
    for path in files_named(context.folder.root, "instructions.jsonl"):
        yield from ((instruction, "") for instruction in iter_records(path, Instruction))
    for pair in pairs:
        yield Instruction(pair.instruction_key, pair.instruction, ""), ""
    made = (context.folder.pool / "done.json").exists()
    for source in context.config.instructions:
        if source.reader == "hub" and made:
            unread.append(f"{source.path} (on the hub)")
            continue
        try:
            raw, _ = read_instructions(
                (source,),
                context.base,
                lambda n: find_contribution(context.plugins, "ste_sources", n, "reader"),
            )
        except SteError as error:
            unread.append(f"{source.path} ({str(error).splitlines()[0]})")
            continue
        clean, _ = scrub(raw, context.config.privacy)
        yield from zip(clean, (one.text for one in raw), strict=True)
