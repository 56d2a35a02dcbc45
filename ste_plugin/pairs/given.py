"""Labelled pairs that somebody has, held to the rules that hold for those that strategies make."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import UNSET

from ste_plugin.context import GivenPair, RunContext
from ste_plugin.instructions.privacy import Scrubber, add_report
from ste_plugin.instructions.privacy.forgotten import forgotten_hash, read_forgotten
from ste_plugin.instructions.selection.contamination import KeptOut, OnOverlap
from ste_plugin.pairs.shown_columns import KNOWN, columns_to_show, with_columns
from ste_plugin.pairs.strategies import finished_pair
from ste_plugin.records import Drop, Instruction, ResponsePair, content_key
from ste_plugin.storage.drop_log import OnDrop, hold_records, without_drops
from ste_plugin.text.turns import opening_turn

GIVEN = "given"
"""The strategy that such pairs have, in reports and in rows."""


@contextmanager
def read_given_pairs(context: RunContext) -> Iterator["GivenPairs"]:
    """Read the files of `pairs.given` whole, before anything is paid for.

    Raises: DataError for a file that cannot be read, or a row that is no pair.
    """
    with hold_records(context.folder.pool, GivenPair) as held:
        held.add(context.read_given(context))
        yield GivenPairs(context, held)


class GivenPairs:
    """The pairs of `pairs.given`."""

    def __init__(self, context: RunContext, read: Iterable[GivenPair]) -> None:
        """`read`: all pairs of the files, as often as they are wanted."""
        self._context, self._read = context, read
        self._ways: dict[str, set[str]] = {}
        for given in read:
            if given.is_preferred:
                self._ways.setdefault(_unordered_key(given), set()).add(_ordered_key(given))

    def pairs(
        self, root: Path, kept_out: KeptOut, drop: OnDrop, tell: OnOverlap
    ) -> Iterator[ResponsePair]:
        """Yield the pairs that a run may use, private data removed; `drop` gets the others.

        `root` is the folder of the run whose forgotten prompts are left out.
        """
        scrubber, columns = Scrubber(self._context.config.privacy), columns_to_show(self._context)
        answers: deque[list[str]] = deque()
        unforgotten = self._instructions(root, scrubber, drop, answers)
        for kept in kept_out.without(unforgotten, tell):
            better, worse = answers.popleft()
            if isinstance(kept, Drop):
                drop(kept)
                continue
            yield from without_drops([_pair(kept, better, worse, columns)], drop)
        if self._context.config.privacy.scrub:
            add_report(self._context.folder.pool, scrubber.report)

    def _instructions(
        self, root: Path, scrubber: Scrubber, drop: OnDrop, answers: deque[list[str]]
    ) -> Iterator[Instruction]:
        """Yield the prompt of each pair that is left; both answers are added to `answers`."""
        forgotten = {entry.hash for entry in read_forgotten(root)}
        for given in without_drops(self._labelled(), drop):
            instruction, *both = scrubber.scrub_pair(prompt_of(given), given.better, given.worse)
            if (digest := forgotten_hash(instruction.key)) in forgotten:
                drop(Drop(GIVEN, digest, "forgotten"))
                continue
            answers.append(both)
            yield instruction

    def _labelled(self) -> Iterator[GivenPair | Drop]:
        """Yield the pairs of which it is known which answer is better, each once."""
        seen: set[str] = set()
        for given in self._read:
            if reason := self._reason(given, seen):
                yield Drop(GIVEN, given.where, reason)
            else:
                seen.add(_ordered_key(given))
                yield given

    def _reason(self, given: GivenPair, seen: set[str]) -> str:
        if not given.is_preferred:
            return "neither answer is preferred"
        if len(self._ways[_unordered_key(given)]) > 1:
            return "labelled both ways"
        return "exact duplicate" if _ordered_key(given) in seen else ""


def _ordered_key(given: GivenPair) -> str:
    return content_key(given.prompt.strip(), given.better.strip(), given.worse.strip())


def _unordered_key(given: GivenPair) -> str:
    return content_key(given.prompt.strip(), sorted((given.better.strip(), given.worse.strip())))


def prompt_of(given: GivenPair) -> Instruction:
    """Return the prompt of a labelled pair as an instruction."""
    text, beside = given.prompt.strip(), dict(given.shown)
    category, answer = (str(beside.pop(name, "") or "") for name in KNOWN)
    return Instruction(
        content_key("instruction", text),
        text,
        given.where,
        category,
        final_answer=answer or UNSET,
        columns=tuple(beside.items()) or UNSET,
    )


def _pair(
    instruction: Instruction, better: str, worse: str, columns: tuple[str, ...]
) -> ResponsePair | Drop:
    opening = opening_turn(instruction.text)
    pair = finished_pair(
        ResponsePair(
            "",
            instruction.key,
            instruction.text,
            better.strip(),
            worse.strip(),
            GIVEN,
            conversation=content_key("instruction", opening) if opening else "",
        )
    )
    return pair if isinstance(pair, Drop) else with_columns(pair, instruction, columns)


def given_prompts(pairs: Iterable[ResponsePair]) -> Iterator[Instruction]:
    """Yield the prompts of the given pairs among these, each once."""
    seen: set[str] = set()
    for pair in pairs:
        if pair.strategy == GIVEN and pair.instruction_key not in seen:
            seen.add(pair.instruction_key)
            yield Instruction(pair.instruction_key, pair.instruction, GIVEN)
