"""Writing a wave of requests to batch files, for servers that answer files."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NoReturn

from ste_plugin.context import RunContext
from ste_plugin.engines.base import ChatRequest
from ste_plugin.errors import ConfigError
from ste_plugin.inference.probe import Probes
from ste_plugin.inference.share import WaveEnded
from ste_plugin.run.wave import Formats, find_wave, with_share
from ste_plugin.storage.durable import make_folder, move, open_binary, sync

MAX_REQUESTS, MAX_BYTES = 50_000, 200_000_000
"""The largest file that OpenAI's batch API takes."""


@dataclass(frozen=True, slots=True)
class ExportedWave:
    """What was written."""

    stage: str
    """What the progress bar says of the stage that asks; empty where nothing is asked."""
    requests: int
    """Lines: one call each, which may ask for several samples."""
    samples: int
    files: list[str]


@dataclass(frozen=True, slots=True)
class FileLimits:
    """How large each file may be."""

    requests: int = MAX_REQUESTS
    bytes: int = MAX_BYTES


def export_requests(
    context: RunContext, folder: Path, limits: FileLimits, *, for_openai: bool = False
) -> ExportedWave:
    """Write what the run would ask next to files in a new folder; there is none if that is nothing.

    Raises: ConfigError for a folder that exists, a used-up budget, or a request that fits no file;
    what `ste generate` raises.
    """
    if folder.exists():
        raise ConfigError(f"{folder}: exists already. Give the folder of a wave a name of its own.")
    if context.budget.used_up:
        raise ConfigError(
            "budget: used up, so that nothing more is asked. Raise budget.max_tokens_total or "
            "budget.max_minutes, or let `ste run` go on with what there is."
        )
    formats = Formats(context, for_openai=for_openai)
    with _new_folder(folder) as temporary:
        files = _BatchFiles(temporary, limits)
        share = _ToFiles(formats, files)
        quiet = replace(context, probes=Probes())  # nothing is answered that could be looked at
        wave = find_wave(with_share(quiet, share, formats, _answer_nothing))
        names = files.close()
        if wave:
            move(temporary, folder)
    written = [str(folder / name) for name in names]
    return ExportedWave(wave.title if wave else "", files.lines, share.samples, written)


class _ToFiles:
    """The share of a process that answers nothing: it writes all requests to files."""

    def __init__(self, formats: Formats, files: "_BatchFiles") -> None:
        self._formats, self._files = formats, files
        self._same_prompt: list[ChatRequest] = []
        self._written: set[int] = set()
        self.samples = 0
        """How many samples were asked for."""

    def takes(self, request: ChatRequest) -> bool:
        """Write a request, and those of the same prompt with it; return False."""
        if self._same_prompt and self._same_prompt[0].prompt_key != request.prompt_key:
            self._write()
        if request.prompt_number not in self._written:
            self._same_prompt.append(request)
        return False

    def end_wave(self, title: str) -> None:
        """Raise WaveEnded where anything was written."""
        self._write()
        if self.samples:
            raise WaveEnded(title, self.samples)

    def _write(self) -> None:
        """Write the requests of one prompt; others of the very same prompt are the same ones."""
        if not self._same_prompt:
            return
        first = self._same_prompt[0]
        form = self._formats.of(first)
        for call in form.plan(self._same_prompt):
            self._files.write(form.encode(call))
            self.samples += len(call.requests)
        self._written.add(first.prompt_number)
        self._same_prompt = []


class _BatchFiles:
    """Writes lines to numbered files, none larger than the limits."""

    def __init__(self, folder: Path, limits: FileLimits) -> None:
        self._folder, self._limits = folder, limits
        self._file: BinaryIO | None = None
        self._names: list[str] = []
        self._lines_here = self._bytes_here = 0
        self.lines = 0
        """Of all files."""

    def write(self, line: bytes) -> None:
        """Write a line, to a new file where it does not fit the current one."""
        limits = self._limits
        if len(line) > limits.bytes:
            raise ConfigError(
                f"--max-bytes: found {limits.bytes}, but one request alone has {len(line)} bytes. "
                "Raise it."
            )
        is_full = self._lines_here >= limits.requests or self._bytes_here + len(line) > limits.bytes
        if self._file is None or is_full:
            self._begin_file()
        assert self._file
        self._file.write(line)
        self._lines_here += 1
        self._bytes_here += len(line)
        self.lines += 1

    def close(self) -> list[str]:
        """Have all lines on disk; return the files' names."""
        if self._file:
            sync(self._file)
            self._file.close()
            self._file = None
        return self._names

    def _begin_file(self) -> None:
        self.close()
        self._names.append(f"requests-{len(self._names) + 1:04d}.jsonl")
        self._file = open_binary(self._folder / self._names[-1], "wb")
        self._lines_here = self._bytes_here = 0


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Make a folder to be moved to its place, and remove it where it was not."""
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)  # a killed export has left it
    make_folder(temporary)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _answer_nothing(request: ChatRequest) -> NoReturn:
    raise AssertionError(f"{request.key} is asked, though all requests are written")
