"""The prompts that no instruction may repeat: those of benchmarks and files, by name."""

import glob
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pluggy

from ste_plugin.config import RunConfig
from ste_plugin.config.labelled import LabelledFile
from ste_plugin.context import PromptSet, RunContext
from ste_plugin.errors import ConfigError, DataError, SteError, did_you_mean
from ste_plugin.evaluation.prompt_files import read_texts
from ste_plugin.instructions.selection.contamination import LEAST_CHARS
from ste_plugin.instructions.sources.row_values import BadRow
from ste_plugin.labelled import LabelledPair, Reading, read_placed
from ste_plugin.labelled.published_files import NotThere
from ste_plugin.labelled.read import LOCAL
from ste_plugin.lm_eval_tasks import runner as lm_eval
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import Choice
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.plugins.manager import contributed_folders
from ste_plugin.storage.resources import find_task, task_names
from ste_plugin.text.turns import without_system

KEEP_OUT = "selection.keep_out"
_TURN = re.compile(r"(?:^|\n\n)(System|User|Human|Assistant|Tool)(?:, turn \d+)?: ?")


class PromptSource:
    """Where the prompts of benchmarks and files are read."""

    def __init__(self, base: Path, data: Path | None, task_dirs: Sequence[Path]) -> None:
        """`base`: where paths start; `data`: the folder that has benchmarks' files, if any."""
        self._base, self._data, self._task_dirs = base, data, task_dirs

    def read(self, name: str, where: str) -> PromptSet:
        """Return the prompts of a benchmark of `ste tasks list`, or else of a file.

        Raises: ConfigError for a name that is neither, DataError where it cannot be read.
        """
        if name in task_names(self._task_dirs):
            return self.of_benchmark(name, where)
        if glob.has_magic(name) or (self._base / Path(name).expanduser()).exists():
            return self.of_file(name, name)
        known = [task for task in task_names(self._task_dirs) if task != "ste_local"]
        raise ConfigError(
            f"{where}: found {name!r}, which is neither a benchmark nor a file "
            f"({self._base / name}).{did_you_mean(name, known)} `ste tasks list` shows the "
            "benchmarks; a file has a column of prompts, as `prompt`."
        )

    def check(self, name: str, where: str) -> str:
        """Return what a name stands for, in words; a benchmark of the hub is not asked for.

        Raises: as `read`.
        """
        if name in task_names(self._task_dirs) and self._settings(name, where).data is None:
            return f"{name}, from the hub"
        return f"{name}, {len(self.read(name, where).prompts)} prompts"

    def of_file(self, name: str, path: str) -> PromptSet:
        """Return the prompts of a file. Raises: DataError where there is none, or a bad row."""
        prompts = list[tuple[str, str]]()
        for text in read_texts(path, self._base):
            if isinstance(text, BadRow):
                raise DataError(str(text))
            prompts.append((text.source, text.text))
        if not prompts:
            raise DataError(f"{self._base / path}: no prompt in it. Fill it, or name another.")
        return PromptSet(name, _each_once(prompts))

    def of_pairs(self, name: str, file: LabelledFile) -> PromptSet:
        """Return the prompts of labelled pairs. Raises: DataError as `read_labelled`."""
        placed = read_placed(self._base / Path(file.path).expanduser(), Reading.of(file), name)
        where = f"{self._base}/"
        return PromptSet(
            name,
            _each_once(
                (f"{at.removeprefix(where)} ({pair.id})", pair.prompt) for at, pair in placed
            ),
        )

    def of_benchmark(self, task: str, where: str) -> PromptSet:
        """Return the prompts of a benchmark, from the folder that has its files or from the hub.

        Raises: DataError where it cannot be read; ConfigError for a task without a benchmark.
        """
        settings = self._settings(task, where)
        try:
            documents = self._read_documents(settings)
        except DataError as error:
            if settings.data:
                raise
            raise DataError(
                f"{where}: {task}: {str(error).splitlines()[0]}\nOffline, put its rows into a file "
                f"{settings.benchmark}.jsonl in the folder that evaluation.data names, or name a "
                "file of its prompts in place of it."
            ) from error
        return PromptSet(task, _each_once((d.id, d.prompt) for d in documents))

    def _read_documents(self, settings: JudgeSettings) -> Sequence[LabelledPair] | Sequence[Choice]:
        """Return what is judged: of the folder of data, or of the hub where that has none of it."""
        try:
            return lm_eval.read_documents(settings)
        except NotThere:
            return lm_eval.read_documents(replace(settings, data=None))

    def _settings(self, task: str, where: str) -> JudgeSettings:
        metadata = find_task(task, self._task_dirs, where).metadata
        if metadata.get("judge_benchmark", LOCAL) == LOCAL:
            raise ConfigError(
                f"{where}: the task {task} says of no benchmark where its prompts are. Name a file "
                "that has them."
            )
        settings = JudgeSettings.read(JudgeSettings(data=self._data).environment(), metadata)
        return replace(settings, limit=None)

    def identity(self, name: str, path: str = "") -> object:
        """Return what two names of the same prompts have in common."""
        if path or name not in task_names(self._task_dirs):
            return (self._base / Path(path or name).expanduser()).resolve()
        metadata = find_task(name, self._task_dirs).metadata
        return metadata.get("judge_benchmark", name), metadata.get("judge_section", "")


def _each_once(prompts: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return id and text of the prompts, and of these without what the system was told, and of what
    a user says in one of several turns."""
    texts: dict[str, str] = {}
    for key, prompt in prompts:
        for text in (prompt, without_system(prompt), *_turns(prompt)):
            texts.setdefault(text, key)
    return [(key, text) for text, key in texts.items()]


def _turns(prompt: str) -> Iterator[str]:
    """Yield what a user says in each turn of a prompt that is a conversation in words.

    >>> list(_turns("User: Name the largest lake of Finland.\\n\\nAssistant: Saimaa."))
    ['Name the largest lake of Finland.']
    """
    _, *parts = _TURN.split(prompt) if _TURN.match(prompt) else [""]
    for who, said in zip(parts[::2], parts[1::2], strict=True):
        if who in ("User", "Human") and len(said) >= LEAST_CHARS:
            yield said.strip()


def prompt_source(config: RunConfig, base: Path, plugins: pluggy.PluginManager) -> PromptSource:
    """Return where the names of a run's config are read; `base` is the config's folder."""
    data = base / Path(config.evaluation.data).expanduser() if config.evaluation.data else None
    return PromptSource(base, data, contributed_folders(plugins, "ste_task_dirs"))


def _source(context: RunContext) -> PromptSource:
    return prompt_source(context.config, context.base, context.plugins)


def check_kept_out(context: RunContext) -> None:
    """Raise ConfigError or DataError for what `selection.keep_out` names and cannot be read."""
    source = _source(context)
    for name in context.config.selection.keep_out:
        source.read(name, KEEP_OUT)


def read_kept_out(context: RunContext) -> list[PromptSet]:
    """Return what no instruction may repeat: what is named, and what the run measures on.

    What is measured on and cannot be read has a `problem` instead of prompts.
    Raises: ConfigError or DataError for what is named and cannot be read.
    """
    source, evaluation = _source(context), context.config.evaluation
    sets: dict[object, PromptSet] = {}
    for name in context.config.selection.keep_out:
        sets[source.identity(name)] = source.read(name, KEEP_OUT)
    held_out = {name: file for name, file in evaluation.pairs.items() if file.keep_out}
    for name, file in held_out.items():
        if (identity := source.identity(name, file.path)) not in sets:
            sets[identity] = _read_if_there(name, partial(source.of_pairs, file=file))
    for task in evaluation.tasks:
        if (identity := source.identity(task)) not in sets:
            read = partial(source.of_benchmark, where="evaluation.tasks")
            sets[identity] = _read_if_there(task, read)
    return list(sets.values())


def _read_if_there(name: str, read: Callable[[str], PromptSet]) -> PromptSet:
    try:
        return read(name)
    except SteError as error:
        return PromptSet(name, problem=str(error).splitlines()[0])
