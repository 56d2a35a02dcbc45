"""The instructions and pairs that a query selects, in a run and in its sources."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ste_plugin.context import RunContext
from ste_plugin.errors import SteError
from ste_plugin.forget.query import ForgetQuery
from ste_plugin.instructions.privacy import Scrubber, scrub
from ste_plugin.instructions.privacy.forgotten import forgotten_hash, read_forgotten
from ste_plugin.instructions.sources import read_instructions
from ste_plugin.pairs.given import prompt_of
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.records import Instruction, Judgment, ResponsePair
from ste_plugin.storage.drop_log import without_drops
from ste_plugin.storage.jsonl import iter_records
from ste_plugin.storage.run_layout import LABELLED, READ
from ste_plugin.text.nested_texts import texts_in
from ste_plugin.text.turns import opening_turn


@dataclass
class Selection:
    """The instructions to forget, their pairs, and where they came from."""

    instructions: dict[str, Instruction] = field(default_factory=dict)
    pairs: dict[str, ResponsePair] = field(default_factory=dict)
    """Key → pair: theirs, and others' pairs whose worse answer belongs to one of them."""
    owners: dict[str, str] = field(default_factory=dict)
    """Key of a pair → the instruction because of which it is removed."""
    by_answers: set[str] = field(default_factory=set)
    """Keys of those whose text does not match, but an answer or a judgment made from it does."""
    sources: dict[str, list[str]] = field(default_factory=dict)
    """Key → the places in the user's own files that still hold it."""
    unread: list[str] = field(default_factory=list)
    """Sources that could not be searched, and why."""

    def names(self, text: str) -> bool:
        """Return whether a text names the key of one of them or of their pairs."""
        return any(key in self.instructions or key in self.pairs for key in keys_in(text))


_KEY = re.compile(r"(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])")


def keys_in(text: str) -> Iterator[str]:
    """Yield what could be a content key in a text."""
    return (match[0] for match in _KEY.finditer(text))


def find_files(root: Path, *names: str) -> list[Path]:
    """Return the files of these names anywhere in a run, also in output set aside by a redo."""
    return sorted(path for name in names for path in root.rglob(name) if path.is_file())


def select_instructions(context: RunContext, query: ForgetQuery) -> Selection:
    """Return what the query selects in a run, its sources and its list of forgotten instructions.

    An instruction is also selected if what was made from it matches, since that would be made
    again, and if an interrupted run of the command has listed it.
    """
    root, selection = context.folder.root, Selection()
    listed = {entry.hash for entry in read_forgotten(root)}
    pairs = {
        p.key: p
        for path in find_files(root, "pairs.jsonl")
        for p in iter_records(path, ResponsePair)
    }
    known = list(_candidates(context, pairs.values(), selection.unread))
    for instruction, raw in known:
        key = instruction.key
        is_unfinished = not raw and forgotten_hash(key) in listed
        if query.matches(*_texts_of(instruction), raw) or key == query.key or is_unfinished:
            selection.instructions[key] = instruction
    _add_later_turns(selection, known)
    _add_pairs(selection, pairs)
    others = {k: p for k, p in pairs.items() if k not in selection.pairs}
    selection.by_answers = _find_by_output(root, others, query) - selection.instructions.keys()
    selection.instructions |= {i.key: i for i, _ in known if i.key in selection.by_answers}
    _add_later_turns(selection, known)
    _add_pairs(selection, pairs)
    for instruction, raw in known:
        if raw and instruction.key in selection.instructions:
            selection.sources.setdefault(instruction.key, []).append(instruction.source)
    return selection


def _add_later_turns(selection: Selection, known: Iterable[tuple[Instruction, str]]) -> None:
    """Add the later turns of a conversation whose turn is selected, as they hold that turn."""
    texts = [instruction.text for instruction in selection.instructions.values()]
    starts = tuple(f"{start}\n\n" for text in texts for start in (text, f"User: {text}"))
    later = (i for i, _ in known if opening_turn(i.text) and i.text.startswith(starts))
    selection.instructions |= {instruction.key: instruction for instruction in later}


def _add_pairs(selection: Selection, pairs: dict[str, ResponsePair]) -> None:
    """Add the pairs of the selected instructions, and others that use an answer to one of them."""
    own = {k: p for k, p in pairs.items() if p.instruction_key in selection.instructions}
    answered = {pair.better: pair.instruction_key for pair in own.values()}
    others = {k: p for k, p in pairs.items() if p.worse in answered and k not in own}
    selection.pairs |= own | others
    selection.owners |= {key: pair.instruction_key for key, pair in own.items()}
    selection.owners |= {key: answered[pair.worse] for key, pair in others.items()}


def _find_by_output(root: Path, pairs: dict[str, ResponsePair], query: ForgetQuery) -> set[str]:
    """Return the keys of the instructions with a matching answer or judgment."""
    keys = {p.instruction_key for p in pairs.values() if query.matches(p.better, p.worse)}
    for path in find_files(root, "judgments.jsonl") if query.pattern else []:
        for judgment in iter_records(path, Judgment):
            if judgment.pair_key in pairs and query.matches(judgment.text):
                keys.add(pairs[judgment.pair_key].instruction_key)
    return keys


def _candidates(
    context: RunContext, pairs: Iterable[ResponsePair], unread: list[str]
) -> Iterator[tuple[Instruction, str]]:
    """Yield every known instruction, with its original text if it is from a source.

    Those that are known best come last.
    """
    for pair in pairs:
        yield Instruction(pair.instruction_key, pair.instruction, ""), ""
    for path in find_files(context.folder.root, "instructions.jsonl", READ, LABELLED):
        yield from ((instruction, "") for instruction in iter_records(path, Instruction))
    yield from _given(context, unread)
    is_pool_done = (context.folder.pool / "done.json").exists()
    for source in context.config.instructions:
        if source.reader == "hub" and is_pool_done:
            unread.append(f"{source.path} (on the hub)")
            continue
        try:
            rows = read_instructions(
                (source,),
                context.base,
                lambda n: find_contribution(context.plugins, "ste_sources", n, "reader"),
                context.judge_format.columns,
            )
            raw = list(without_drops(rows, lambda _: None))
        except SteError as error:
            unread.append(f"{source.path} ({str(error).splitlines()[0]})")
            continue
        scrubbed, _ = scrub(raw, context.config.privacy)
        yield from zip(scrubbed, map("\n".join, map(_texts_of, raw)), strict=True)


def _texts_of(instruction: Instruction) -> list[str]:
    """Return what may hold what is to be forgotten."""
    beside = texts_in(dict(instruction.columns or ()))
    return [instruction.text, instruction.final_answer or "", *beside]


def _given(context: RunContext, unread: list[str]) -> Iterator[tuple[Instruction, str]]:
    """Yield the prompt of each labelled pair of the user's own files, and its original text."""
    scrubber = Scrubber(context.config.privacy)
    try:
        for given in context.read_given(context):
            prompt = prompt_of(given)
            yield scrubber.scrub(prompt), "\n".join(_texts_of(prompt))
    except SteError as error:
        unread.append(f"pairs.given ({str(error).splitlines()[0]})")
