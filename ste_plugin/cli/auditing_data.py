"""`ste audit --benchmark NAME --against DATA`: prompts of benchmarks in others' training data."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ste_plugin.cli.app import say, show
from ste_plugin.errors import ConfigError, NotTrusted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ste_plugin.audit.contamination import Contamination
    from ste_plugin.instructions.sources.row_values import BadRow
    from ste_plugin.records import Instruction


def audit_data(
    run: Path | None,
    benchmarks: Sequence[str],
    against: str | None,
    form: str,
    column: str,
    plugins: Sequence[Path],
    *,
    as_json: bool,
) -> None:
    """Tell which prompts of benchmarks are in data that somebody trained on; end with 0 or 8.

    Raises: ConfigError where one of the two is missing or a benchmark is unknown, DataError where
    something cannot be read, NotTrusted where prompts are in it.
    """
    if run is not None or not benchmarks or against is None:
        found = [f"the run {run}"] if run is not None else []
        found += ["--benchmark"] if benchmarks else []
        found += ["--against"] if against is not None else []
        raise ConfigError(
            f"ste audit: found {' and '.join(found)}; expected --benchmark with --against, and no "
            "run."
        )
    left_out: Counter[str] = Counter()
    compared = compare(benchmarks, against, form, column, plugins, left_out)
    if as_json:
        show(to_json(compared, left_out))
    else:
        from ste_plugin.audit.contamination import format_contamination

        for line in format_contamination(compared, left_out):
            say(line)
    conclude(compared, against)
    if not as_json:
        say("\nClean: none of them repeats a prompt.")


def compare(
    benchmarks: Sequence[str],
    against: str,
    form: str,
    column: str,
    plugins: Sequence[Path],
    left_out: Counter[str],
) -> "Contamination":
    """Return what of some benchmarks is in a data set; rows without anything asked are counted."""
    from ste_plugin.audit.contamination import find_contamination
    from ste_plugin.config import SelectionConfig
    from ste_plugin.evaluation.kept_out import PromptSource
    from ste_plugin.evaluation.prompt_files import read_texts
    from ste_plugin.plugins.manager import contributed_folders, plugin_manager

    folders = contributed_folders(plugin_manager(plugins), "ste_task_dirs")
    source = PromptSource(Path(), None, folders)
    sets = [source.read(name, "--benchmark") for name in dict.fromkeys(benchmarks)]
    asked = _without_bad_rows(read_texts(against, Path(), form=form, column=column), left_out)
    return find_contamination(asked, sets, SelectionConfig().near_duplicate_threshold)


def _without_bad_rows(
    texts: "Iterable[Instruction | BadRow]", left_out: Counter[str]
) -> "Iterator[Instruction]":
    from ste_plugin.instructions.sources.row_values import BadRow

    for text in texts:
        if isinstance(text, BadRow):
            left_out[text.reason] += 1
        else:
            yield text


def to_json(found: "Contamination", left_out: Counter[str]) -> dict[str, object]:
    """Return what was found as JSON values."""
    examples = {
        name: [
            overlap.to_dict() | {"text": text}
            for overlaps in by_measure.values()
            for overlap, text in overlaps
        ]
        for name, by_measure in found.examples.items()
    }
    return {**found.summary, "left_out": dict(left_out), "examples": examples}


def conclude(found: "Contamination", against: str) -> None:
    """Raise DataError where nothing was compared, NotTrusted where prompts are repeated."""
    from ste_plugin.audit.contamination import DROPPING, contaminated
    from ste_plugin.errors import DataError

    compared = found.summary["compared"]
    if not compared:
        raise DataError(f"{against}: no instruction in it. Name its column (--column), or another.")
    if names := contaminated(found):
        told = [f"{name} {sum(found.counts(name, DROPPING).values()):,}" for name in names]
        raise NotTrusted(
            f"CONTAMINATED: of {compared:,} instructions in {against} these repeat a prompt: "
            f"{', '.join(told)}."
        )
