"""The check `shortcuts`: whether the better answer can be told without reading the question."""

from collections.abc import Iterator
from importlib.util import find_spec

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.shortcuts.sample import PairSample, sample_pool, trained_keys
from ste_plugin.context import RunContext
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.pairs.constructed import CONSTRUCTED
from ste_plugin.storage.jsonl import read_json, replace_json

TRAINED, POOL = "every strategy", "all pairs of the pool"
"""Subjects of findings beside single strategies."""
_TOLD = {POOL: ""} | dict.fromkeys(
    CONSTRUCTED, "Its worse answers are dressed up on purpose: all strategies together count."
)
"""Subjects that are held to no threshold → why."""
_MANY_MORE = 1.1
"""Pairs in the pool for one that was trained on, from which the pool is examined as well."""


def check_shortcuts(context: RunContext, iteration: int) -> Iterator[Finding]:
    """Yield the findings of text-blind classifiers, per strategy and over all of them.

    Held to a threshold are the pairs that the iteration was trained on, or all where none was. Of
    all pairs, before the judge's answers chose among them, the same is told where they are more,
    and of strategies whose worse answers are made to look better than they are.
    The signs found are in `audit/shortcuts.json`.
    Raises: ConfigError where scikit-learn is missing, DataError where there are no pairs.
    """
    _require_library()
    from ste_plugin.audit.shortcuts.examine import examine, findings_of

    keys = trained_keys(context, iteration)
    sample = sample_pool(context, keys)
    if not sample.pairs:
        raise DataError(
            f"{context.folder.pool}: none of its pairs is in the training rows of iteration "
            f"{iteration}: the pool was made anew. Redo it: ste run CONFIG --from generate"
        )
    examined = examine(sample, _subjects(sample))
    if keys is not None and (pool := sample_pool(context)).total > _MANY_MORE * sample.total:
        examined |= examine(pool, [POOL])
    _keep_signs(context, iteration, {name: e.to_json() for name, e in examined.items()})
    for name, subject in examined.items():
        yield from findings_of(name, subject, context.config, told_why=_TOLD.get(name))


def _require_library() -> None:
    if find_spec("sklearn") is None:
        raise ConfigError(
            "The check `shortcuts` needs scikit-learn, which is not installed: pip install "
            "'ste-plugin[audit]'. Or name the checks to make: --only NAME."
        )


def _subjects(sample: PairSample) -> list[str]:
    """Return the strategies, and their sum where there are several."""
    return sample.strategies if len(sample.strategies) == 1 else [*sample.strategies, TRAINED]


def _keep_signs(context: RunContext, iteration: int, subjects: dict[str, object]) -> None:
    """Write what was found of an iteration beside that of others."""
    path = context.folder.audit / "shortcuts.json"
    before = read_json(path) if path.exists() else {}
    replace_json(path, dict(sorted({**before, str(iteration): subjects}.items())))
