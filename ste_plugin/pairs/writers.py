"""The models that write: the generator, and a weaker one where the config names it."""

from collections.abc import Iterable
from dataclasses import dataclass

from ste_plugin.config import ModelConfig
from ste_plugin.context import RunContext
from ste_plugin.engines.base import ChatRequest
from ste_plugin.engines.http.prices import read_prices
from ste_plugin.engines.identity import model_identity
from ste_plugin.engines.nested import answering_model
from ste_plugin.errors import ConfigError
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.inference.dispatch import StoredCompletions, complete_requests
from ste_plugin.inference.probe_checks import Stage
from ste_plugin.inference.requests import GeneratorRequests
from ste_plugin.pairs.calls import calls_of
from ste_plugin.pairs.strategies import PairStrategy
from ste_plugin.plugins.manager import find_contribution

PAIRS, WEAKER = "pairs", "weaker"
"""Names of the files of the generator's completions, and of the weaker model's."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A model that writes answers, and how it is asked."""

    model: ModelConfig
    requests: GeneratorRequests
    file: str
    """Name of the file of its completions."""


def generator_requests(context: RunContext) -> GeneratorRequests:
    """Return the builder of requests to the run's generator; it reads the model's folder."""
    return GeneratorRequests(context.generator_identity, context.config.pairs)


def generator(context: RunContext, file: str = PAIRS) -> Writer:
    """Return the run's generator; its folder is read."""
    return Writer(context.generator_model, generator_requests(context), file)


def writer_of(context: RunContext, strategy: PairStrategy) -> Writer:
    """Return the model that a strategy asks. Raises: ConfigError where none is named."""
    if not calls_of(strategy).by_weaker:
        return generator(context)
    model = context.weaker_model
    if model is None:
        raise ConfigError(
            "pairs.strategies: found a strategy that asks a second model, and no such model. Name "
            "one that answers worse than the generator: pairs.weaker: {model: …, engine: …}."
        )
    identity = model_identity(model, context.base)
    return Writer(model, GeneratorRequests(identity, context.config.pairs), WEAKER)


def _require_writer(context: RunContext) -> None:
    """Raise ConfigError where answers are to be written by a model that is asked for letters."""
    model = context.generator_model
    if context.config.pairs.strategies and answering_model(model).engine == "decisions":
        raise ConfigError(
            f"generator: pairs.strategies take answers that a model writes, and {model.model} is "
            "asked by engine decisions, which gives probabilities of letters alone. Name one that "
            "writes: generator: {model: …, engine: …}."
        )


def weaker_name(context: RunContext) -> str:
    """Return the weaker model as the config names it; empty where it names none."""
    weaker = context.config.pairs.weaker
    return weaker.model if weaker else ""


def find_strategy(context: RunContext, name: str) -> PairStrategy:
    """Return a pair strategy. Raises: ConfigError for one that no plugin contributes."""
    strategy: PairStrategy = find_contribution(
        context.plugins, "ste_pair_strategies", name, "pairs.strategies"
    )
    return strategy


def check_writers(context: RunContext) -> None:
    """Check that the generator writes, and that there is a weaker model where a strategy asks it.

    Raises: ConfigError, also where no strategy asks it, or it is the generator itself.
    """
    _require_writer(context)
    strategies = [find_strategy(context, name) for name in context.config.pairs.strategies]
    asking = [strategy for strategy in strategies if calls_of(strategy).by_weaker]
    for strategy in asking:
        writer_of(context, strategy)
    weaker = context.weaker_model
    if weaker is None:
        return
    if not asking:
        raise ConfigError(
            "pairs.weaker: no strategy among pairs.strategies asks it. Add stronger-vs-weaker "
            "there, or remove the model."
        )
    if model_identity(weaker, context.base) == context.generator_identity:
        raise ConfigError(
            f"pairs.weaker: found the generator's own model ({weaker_name(context)}); expected "
            "one that answers worse: of two samples of one model nobody knows which is better. "
            "Name another model, or use another of pairs.strategies."
        )


def writing_cost(context: RunContext, stores: Iterable[CompletionStore]) -> float | None:
    """Return the cost of the pool's completions by the prices of who wrote them; None without any.

    It is that of the models with prices.
    """
    by_weaker: dict[bool, list[CompletionStore]] = {False: [], True: []}
    for store in stores:
        by_weaker[store.path.name.startswith(f"{WEAKER}.")].append(store)
    models = {False: context.generator_model, True: context.weaker_model}
    costs = []
    for is_weaker, model in models.items():
        if model and (prices := read_prices(answering_model(model).options)):
            read = sum(store.prompt_tokens for store in by_weaker[is_weaker])
            written = sum(store.completion_tokens for store in by_weaker[is_weaker])
            costs.append(prices.cost(read, written))
    return sum(costs) if costs else None


def ask_writer(
    context: RunContext,
    writer: Writer,
    requests: Iterable[ChatRequest | None],
    count: int,
    title: str,
    limit: str = "pairs.max_new_tokens",
    *,
    may_be_equal: bool = True,
) -> StoredCompletions:
    """Return a model's completions, kept in its file of the pool.

    `limit` and `may_be_equal` are those of the probe's `Stage`.
    """
    store = context.stores.open(context.folder.pool / f"{writer.file}.completions.jsonl")
    stage = Stage(title, writer.model.model, limit, may_be_equal)
    return complete_requests(
        context.models.use(writer.model),
        requests,
        store,
        context.progress,
        context.budget,
        title,
        context.probes.of(stage),
        count,
        context.share,
    )
