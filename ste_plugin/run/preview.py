"""A preview: a few instructions on the whole way to training rows, and what the rest will cost."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from msgspec import structs

from ste_plugin.config import PrivacyConfig, RunConfig, SourceConfig
from ste_plugin.context import GivenPair, Iteration, RunContext
from ste_plugin.engines.model_pool import ModelPool
from ste_plugin.errors import JudgeError
from ste_plugin.inference.completion_store import CompletionStore, find_completions
from ste_plugin.instructions.selection.contamination import KeptOut
from ste_plugin.instructions.sources.forms import further_columns
from ste_plugin.pairs.given import read_given_pairs
from ste_plugin.pairs.pool import prepare_pool, select_instructions, usable_instructions
from ste_plugin.pairs.writers import writing_cost
from ste_plugin.records import ChatTurn, Instruction, ResponsePair, content_key
from ste_plugin.run import stages
from ste_plugin.run.estimate import StageEstimate, Watch, estimate_stage, samples_range, total
from ste_plugin.run.models_ahead import check_whole
from ste_plugin.run.open_run import open_aside
from ste_plugin.run.preview_records import Preview, read_if_there, read_preview
from ste_plugin.sampling.pass_rates import PassRate
from ste_plugin.storage.config_file import read_config
from ste_plugin.storage.jsonl import replace_rows

SHOWN = 10
"""Instructions that go the whole way."""
_AFTER_LABELS = ("complexity", "category-quotas", "limit")
"""Selectors that may need labels, of which a preview makes no more than it shows."""


def preview(path: Path, files: Sequence[Path], *, quiet: bool) -> Preview:
    """Return what a config makes of ten of its instructions; the run's folder is left alone.

    The caller must have checked that the user trusts the config's plugins, as for `open_run`.
    Raises: what the run would raise, but where judgments leave nothing to train on.
    """
    whole, base = read_config(path), path.resolve().parent
    with _temporary_folder() as folder:
        config = whole.model_copy(update={"run": folder})
        with open_aside(config, base, files, quiet=quiet) as context:
            stages.check_servable(context)
            check_whole(config.judge, base)
            stages.read_row_formats(context)
            kept_out = KeptOut(context.read_kept_out(context), config.selection)
            instructions = _find_instructions(context, base / whole.run, kept_out)
            drawn = _draw(instructions, whole.seed)
            further = dict.fromkeys(n for s in whole.instructions for n in further_columns(s))
            rows = (_row(instruction, further) for instruction in drawn)
            replace_rows(folder / "instructions.jsonl", rows)
            with read_given_pairs(context) as read:
                pairs = read.pairs(base / whole.run, kept_out, _ignore, _ignore)
                given, count = _draw_given(pairs, whole.seed)
            config = _shortened(config, further, any_instructions=bool(drawn))
            short = replace(context, config=config, read_given=lambda _: given)
            sizes = _Sizes(len(instructions), len(drawn), count, len(given))
            return _go(short, whole, sizes)


class _Sizes(NamedTuple):
    """How much the whole run has, and how much the preview."""

    instructions: int
    drawn: int
    given: int
    given_drawn: int

    def pairs_factor(self, instructions: int, strategies: int) -> float:
        """Return how many times as many pairs the whole run has, if so many instructions do."""
        whole, shown = instructions * strategies + self.given, self.drawn * strategies
        return whole / max(1, shown + self.given_drawn)


def _ignore(_: object) -> None:
    """Do nothing with what a preview leaves out on the way."""


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Make a folder and remove it again; after an error the logs of servers stay."""
    folder = Path(mkdtemp(prefix="ste-preview-"))
    try:
        yield folder
    except BaseException:
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.suffix != ".log":
                path.unlink()
        with suppress(OSError):  # a log is left
            folder.rmdir()
        raise
    shutil.rmtree(folder)


def _find_instructions(context: RunContext, root: Path, kept_out: KeptOut) -> Sequence[Instruction]:
    """Return the instructions of the run in `root`, as far as no labels decide."""
    if not context.config.instructions:
        return ()
    selection = context.config.selection
    if selection.label:
        names = tuple(name for name in selection.selectors if name not in _AFTER_LABELS)
        selection = selection.model_copy(update={"selectors": names})
    config = context.config.model_copy(update={"selection": selection})
    usable = list(usable_instructions(context, root, kept_out, _ignore, _ignore))
    return select_instructions(replace(context, config=config), usable)[0]


def _draw(instructions: Sequence[Instruction], seed: int) -> list[Instruction]:
    """Return a few instructions drawn at random by the seed, in their order."""
    drawn = sorted(instructions, key=lambda i: content_key("preview", seed, i.key))[:SHOWN]
    keys = {instruction.key for instruction in drawn}
    return [instruction for instruction in instructions if instruction.key in keys]


def _draw_given(pairs: Iterable[ResponsePair], seed: int) -> tuple[list[GivenPair], int]:
    """Return a few given pairs drawn at random by the seed, and how many there are."""
    count, drawn = 0, list[tuple[str, ResponsePair]]()
    for count, pair in enumerate(pairs, start=1):  # noqa: B007
        drawn.append((content_key("preview", seed, pair.key), pair))
        drawn = sorted(drawn, key=lambda keyed: keyed[0])[:SHOWN]
    given = (p for _, p in drawn)
    return [
        GivenPair("given", p.instruction, p.better, p.worse, shown=p.shown) for p in given
    ], count


def _row(instruction: Instruction, further: Iterable[str]) -> dict[str, Any]:
    """Return an instruction as a row that is read back."""
    answer = instruction.final_answer or ""
    turns = instruction.turns or (ChatTurn("user", instruction.text),)
    beside = dict(instruction.columns or ())
    return {name: beside.get(name, "") for name in further} | {
        "messages": [turn.to_dict() for turn in turns],
        "category": instruction.category,
        "final_answer": answer,
    }


def _shortened(config: RunConfig, further: Iterable[str], *, any_instructions: bool) -> RunConfig:
    """Return the config of a run on the drawn instructions alone, all of them for training."""
    selection = config.selection
    names = ("complexity",) if selection.label and "complexity" in selection.selectors else ()
    held_out = {"dev_fraction": 0.0, "test_fraction": 0.0}
    source = SourceConfig(
        path=str(config.run / "instructions.jsonl"),
        form="openai",
        turns="last",
        columns={name: name for name in ("final_answer", *further)},
    )
    return config.model_copy(
        update={
            "instructions": (source,) if any_instructions else (),
            "privacy": PrivacyConfig(),
            "selection": selection.model_copy(update={"selectors": names}),
            "dataset": config.dataset.model_copy(update=held_out),
            "training": config.training.model_copy(
                update={"recipe": config.training.recipe[:1], "instructions": "all"}
            ),
        }
    )


def _go(context: RunContext, whole: RunConfig, sizes: _Sizes) -> Preview:
    """Return the preview of a run on the drawn instructions and given pairs."""
    watch, opened = Watch(), context.models
    context = replace(context, models=ModelPool(lambda model: watch.over(opened.use(model))))
    found, drawn = sizes.instructions, max(1, sizes.drawn)
    count = _at_most(whole, found)
    prepare_pool(context)
    answers = _estimate_answers(context, watch, (count / drawn, found / drawn))
    watch.begin()
    iteration, problem = stages.read_iteration(context, 1, 1), ""
    try:
        stages.generate(context, 1, 1)
    except JudgeError as error:
        problem = str(error)
    factor = sizes.pairs_factor(count, len(whole.pairs.strategies))
    judgments = _estimate_judgments(iteration, watch, whole, factor)
    estimate = (answers, judgments, total((answers, judgments)))
    return read_preview(iteration, count + sizes.given, problem, estimate)


def _at_most(config: RunConfig, count: int) -> int:
    """Return how many instructions are left at most once labels have decided."""
    quotas = sum(config.selection.categories.values())
    return min(count, quotas or count, config.selection.limit or count)


def _estimate_answers(
    context: RunContext, watch: Watch, factors: tuple[float, float]
) -> StageEstimate:
    """Return what the generator takes; every instruction is labelled, of which some are left."""
    paths = find_completions(context.folder.pool)
    stores = [CompletionStore(path) for path in paths]
    estimate = estimate_stage("answers", watch, context.generator_model, stores, factors)
    cost = writing_cost(context, stores)
    low, high = factors
    return structs.replace(estimate, cost=None if cost is None else (cost * low, cost * high))


def _estimate_judgments(
    iteration: Iteration, watch: Watch, whole: RunConfig, factor: float
) -> StageEstimate:
    """Return what the judges of all iterations take, if they do as the seed does."""
    rates = read_if_there(iteration.folder / "pass_rates.jsonl", PassRate)
    dev, test = whole.dataset.dev_fraction, whole.dataset.test_fraction
    factor *= (dev + (1 - test - dev) / whole.parts) * whole.iterations  # dev pairs in each
    low, high = samples_range(rates, whole.judging.samples)
    store = CompletionStore(iteration.folder / "judging.completions.jsonl")
    factors = (factor * low, factor * high)
    return estimate_stage("judgments", watch, iteration.judge, [store], factors)
