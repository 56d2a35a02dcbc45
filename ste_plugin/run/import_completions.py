"""Taking the answers of batch files into a run, as if they had been given over HTTP."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from ste_plugin.context import RunContext
from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.engines.http.batch import UnansweredCall
from ste_plugin.engines.http.request import Call
from ste_plugin.errors import DataError, EngineError
from ste_plugin.inference.budget import Budget
from ste_plugin.inference.completion_store import CompletionStore, find_completions
from ste_plugin.inference.share import WaveEnded
from ste_plugin.run.answer_files import AnswerFiles, AnswerRow
from ste_plugin.run.wave import Formats, find_wave, with_share

_NAMED = 3
"""How many lines an error names."""


@dataclass(frozen=True, slots=True)
class ImportedAnswers:
    """What became of the lines of the files."""

    imported: int
    """Completions that the run has now, and had not before."""
    unanswered: list[str]
    """Lines without a usable answer, and why: their requests are asked again."""
    cut_off: list[str]
    """Last lines that are not whole."""
    stage: str
    """The stage that asks next; empty where nothing is left to ask."""
    left: int
    """Samples that are still to be asked for in the current wave."""


def import_completions(context: RunContext, paths: Sequence[Path]) -> ImportedAnswers:
    """Take all answers that the run asks for, wave after wave, as far as they go.

    What is imported already is left as it is, so that an import that was ended can be repeated.
    Raises: DataError naming file and line of what is no answer, or is of a request that this run
    does not ask; what the first answers of a stage raise where they tell that all are unusable.
    """
    with closing(AnswerFiles(paths)) as files:
        formats = Formats(context)
        share = _FromFiles(formats, files)
        # all of it is paid for: no budget ends it
        unlimited = replace(context, budget=Budget())
        wave = find_wave(with_share(unlimited, share, formats, share.answer))
        _refuse_unknown(context, files, share.imported, wave)
        unanswered, cut_off = list(files.problems.values()), list(files.cut_off.values())
        title, left = (wave.title, wave.left) if wave else ("", 0)
        return ImportedAnswers(share.imported, unanswered, cut_off, title, left)


class _FromFiles:
    """The share of a process that answers from files, each line read as a reply over HTTP."""

    def __init__(self, formats: Formats, files: AnswerFiles) -> None:
        self._formats, self._files = formats, files
        self._read: dict[str, Completion] = {}
        """The completions of the line that was read last, by key."""
        self._left = 0
        self.imported = 0

    def takes(self, request: ChatRequest) -> bool:
        """Return whether the files hold a usable answer to a request."""
        if request.key not in self._read:
            self._read = {c.key: c for c in self._completions(request)}
        is_answered = request.key in self._read
        self._left += not is_answered
        return is_answered

    def answer(self, request: ChatRequest) -> Completion:
        """Return the completion of a request that was taken."""
        self.imported += 1
        return self._read[request.key]

    def end_wave(self, title: str) -> None:
        """Raise WaveEnded where requests are left without an answer."""
        if self._left:
            raise WaveEnded(title, self._left)

    def _completions(self, request: ChatRequest) -> list[Completion]:
        """Return what the first line that answers a request gives."""
        for row in self._files.find(request.prompt_number, request.sample_index):
            completions = self._read_row(request, row)
            if any(c.key == request.key for c in completions):
                self._files.problems.pop(row.custom_id, None)
                return completions
        return []

    def _read_row(self, request: ChatRequest, row: AnswerRow) -> list[Completion]:
        call = Call(tuple(map(request.with_sample_index, row.call.samples if row.call else ())))
        try:
            return self._formats.of(request).read(call, row.response)
        except UnansweredCall as problem:
            told = f"{row.where}: {row.custom_id}: {problem}"
            self._files.problems.setdefault(row.custom_id, told)
            return []
        except EngineError as error:
            raise EngineError(f"{row.where}: {row.custom_id}: {error}") from error


def _refuse_unknown(
    context: RunContext, files: AnswerFiles, imported: int, wave: WaveEnded | None
) -> None:
    """Raise DataError for lines that are of no request of the run's, with the first of them."""
    stores = [CompletionStore(path) for path in find_completions(context.folder.root)]
    unknown, shown = 0, ""
    for row in _unknown(files, stores):
        shown += f"\n  {row.where}: {row.custom_id!r}" if unknown < _NAMED else ""
        unknown += 1
    if not unknown:
        return
    later = ""
    if wave and imported:
        later = (
            f" Answers of later waves are taken once this one is complete: {wave.title}, "
            f"{wave.left} samples are still to be answered."
        )
    raise DataError(
        f"{unknown} of {files.count} answers are of requests that this run does not ask, the "
        f"first:{shown}\nKeys change with the model's weights, its revision, the run's settings "
        f"and its instructions: import them into the run that they were exported from.{later} "
        f"Imported: {imported} completions of requests that it does ask."
    )


def _unknown(files: AnswerFiles, stores: Sequence[CompletionStore]) -> Iterator[AnswerRow]:
    for row in files.answers():
        call = row.call
        known = call and any(s.holds(call.prompt, n) for s in stores for n in call.samples)
        if not known:
            yield row
