"""The instructions and pairs that a query selects, in a run and in its sources."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ste_plugin.context import RunContext
from ste_plugin.errors import SteError
from ste_plugin.forget.query import ForgetQuery
from ste_plugin.instructions.privacy import scrub
from ste_plugin.instructions.privacy.forgotten import forgotten_hash, read_forgotten
from ste_plugin.instructions.sources import read_instructions
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.records import Instruction, Judgment, ResponsePair
from ste_plugin.storage.jsonl import iter_records


@dataclass
class Selection:
    """The instructions to forget, and where they came from."""

    instructions: dict[str, Instruction] = field(default_factory=dict)
    pairs: dict[str, ResponsePair] = field(default_factory=dict)
    """Pair key → pair: theirs, and those of other instructions that hold an answer to one of
    them."""
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
    return (match[0] for match in _KEY.finditer(text))


def files_named(root: Path, *names: str) -> list[Path]:
    """Return the files of these names anywhere in a run, set aside ones included."""
    return sorted(path for name in names for path in root.rglob(name) if path.is_file())


def select_instructions(context: RunContext, query: ForgetQuery) -> Selection:
    """Return what the query selects in a run, in its sources and in its list of forgotten
    instructions.

    An instruction is also selected if what was made from it matches, since that would be made
    again, and
    if an earlier, interrupted run of the command was to forget it.
    """
    root, selection = context.folder.root, Selection()
    before = {entry.hash for entry in read_forgotten(root)}
    pairs = {
        p.key: p
        for path in files_named(root, "pairs.jsonl")
        for p in iter_records(path, ResponsePair)
    }
    known = list(_candidates(context, pairs.values(), selection.unread))
    for instruction, raw in known:
        key = instruction.key
        left = not raw and forgotten_hash(key) in before
        if query.matches(instruction.text, raw) or key == query.key or left:
            selection.instructions[key] = instruction
    _add_pairs(selection, pairs)
    made = _made_of(root, {k: p for k, p in pairs.items() if k not in selection.pairs}, query)
    selection.by_answers = made - selection.instructions.keys()
    selection.instructions |= {i.key: i for i, _ in known if i.key in selection.by_answers}
    _add_pairs(selection, pairs)
    for instruction, raw in known:
        if raw and instruction.key in selection.instructions:
            selection.sources.setdefault(instruction.key, []).append(instruction.source)
    return selection


def _add_pairs(selection: Selection, pairs: dict[str, ResponsePair]) -> None:
    """Add the pairs of the selected instructions, and others' pairs that use an answer to one of
    them."""
    mine = {k: p for k, p in pairs.items() if p.instruction_key in selection.instructions}
    answered = {pair.better: pair.instruction_key for pair in mine.values()}
    borrowed = {k: p for k, p in pairs.items() if p.worse in answered and k not in mine}
    selection.pairs |= mine | borrowed
    selection.owners |= {key: pair.instruction_key for key, pair in mine.items()}
    selection.owners |= {key: answered[pair.worse] for key, pair in borrowed.items()}


def _made_of(root: Path, pairs: dict[str, ResponsePair], query: ForgetQuery) -> set[str]:
    """Return the instructions with a matching answer or judgment."""
    keys = {p.instruction_key for p in pairs.values() if query.matches(p.better, p.worse)}
    for path in files_named(root, "judgments.jsonl") if query.pattern else []:
        for judgment in iter_records(path, Judgment):
            if judgment.pair_key in pairs and query.matches(judgment.text):
                keys.add(pairs[judgment.pair_key].instruction_key)
    return keys


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
