"""A cascade on labelled pairs, as a task of lm-eval. Only lm-eval imports this module.

The judges are those that the file of the cascade names, each with its own engine, so that lm-eval's
`--model` is not asked anything that counts: `--model dummy`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import datasets
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.dummy import DummyLM

from ste_plugin.cascade.cascade import Cascade
from ste_plugin.cascade.outcome import STAGES
from ste_plugin.errors import ConfigError
from ste_plugin.judge.texts import Pair
from ste_plugin.labelled import LabelledPair
from ste_plugin.lm_eval_tasks.absent_task import FIXED
from ste_plugin.lm_eval_tasks.benchmarks import read_pairs
from ste_plugin.lm_eval_tasks.bootstrap import prompt_key
from ste_plugin.lm_eval_tasks.chat_task import read_settings
from ste_plugin.lm_eval_tasks.share_interval import clustered_interval
from ste_plugin.lm_eval_tasks.shown_columns import columns_shown, kept_by_all

VARIABLE = "STE_CASCADE"
_HOW = "cascade"
Term = tuple[str, float, float]
"""Prompt, what a pair adds to a figure's numerator, and to its denominator."""
_OUTPUT = {"output_type": "generate_until", "generation_kwargs": {"until": [], "max_gen_toks": 1}}


class CascadeTask(ConfigurableTask):  # type: ignore[misc]
    """One document is one pair: answered by some stage, or not at all."""

    VERSION = 1

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        own, settings = read_settings(config)
        self.path = os.environ.get(VARIABLE, "").strip()
        if not self.path:
            raise ConfigError(
                f"{VARIABLE} is not set; expected the file that `ste cascade fit` wrote."
            )
        self.cascade = Cascade(self.path, plugins=settings.plugins)
        self.documents = read_pairs(settings, kept_by_all(self.cascade.formats))
        self.subsets = list(dict.fromkeys(pair.subset for pair in self.documents))
        DummyLM.tokenizer = None  # its own is on the hub, and is asked for when all is judged
        super().__init__(config={**own, **FIXED, **_OUTPUT})

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **_: Any) -> None:
        """Make the data set of the documents already read; nothing is downloaded."""
        self.dataset = {"test": datasets.Dataset.from_list([d.to_doc() for d in self.documents])}

    def doc_to_text(self, doc: Mapping[str, str], *_: Any) -> str:
        """Return what was asked."""
        return doc["prompt"]

    def doc_to_target(self, doc: Mapping[str, str], *_: Any) -> str:
        """Return the better answer."""
        return doc["chosen"]

    def fewshot_context(self, doc: Mapping[str, str], *_: Any, **__: Any) -> str:
        """Return what was asked; there are no few-shot examples."""
        return doc["prompt"]

    def build_all_requests(self, **settings: Any) -> None:
        """Build the requests; never from lm-eval's cache, whose keys know no data."""
        super().build_all_requests(**settings | {"cache_requests": False})

    def construct_requests(self, doc: Mapping[str, str], ctx: str, **settings: Any) -> Any:
        """Return the one request that lm-eval wants of each document."""
        own = dict(self.config.generation_kwargs or {})
        return Instance("generate_until", dict(doc), (ctx, own), 0, settings["metadata"])

    def apply_filters(self) -> None:
        """Ask the cascade about all pairs, at once."""
        with closing(self.cascade) as cascade:
            found = cascade.compare_many(_shown_to(cascade, each.doc) for each in self.instances)
        for instance, said in zip(self.instances, found, strict=True):
            instance.filtered_resps["none"] = said.to_dict()

    def process_results(self, doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, Any]:
        """Return every figure's term of this pair: the same keys in the same order for each."""
        pair = LabelledPair.from_doc(doc)
        terms = terms_of(pair, results[0])
        by_subset = {
            f"{name}/{subset}".replace(",", ";"): terms[name] if subset == pair.subset else ()
            for subset in self.subsets
            for name in _BY_SUBSET
        }
        ends = {f"acc_{end}": terms["acc"] for end in _ENDS}
        return {**terms, **ends, **by_subset}

    def aggregation(self) -> Mapping[str, Callable[[Sequence[Any]], float | None]]:
        """Return how the terms of all pairs become each figure; `acc_low` and `acc_high` are the
        95% interval."""
        names = (*_NAMES, *(f"{n}/{s}".replace(",", ";") for s in self.subsets for n in _BY_SUBSET))
        ends = {f"acc_{name}": partial(_end, place) for place, name in enumerate(_ENDS)}
        return {**dict.fromkeys(names, ratio), **ends}

    def higher_is_better(self) -> dict[str, bool]:
        """Return the direction of figures that have one."""
        return {"acc": True, "answered": True, "prompt_tokens": False, "written_tokens": False}

    def dump_config(self) -> dict[str, Any]:
        """Return the config as lm-eval's results show it, with what the cascade promises."""
        config, fitted = dict(super().dump_config()), self.cascade.fitted
        how = {"file": self.path, **fitted.model_dump(exclude={"curve"})}
        return config | {"metadata": {**(config.get("metadata") or {}), _HOW: how}}


_NAMES = (
    "answered",
    "acc",
    "prompt_tokens",
    "written_tokens",
    *(f"by_{name}" for name in STAGES),
    "problem",
)
_BY_SUBSET = _NAMES[:4]
_ENDS = ("low", "high")


def terms_of(pair: LabelledPair, said: Mapping[str, Any]) -> dict[str, Term | tuple[()]]:
    """Return what a pair adds to each figure: shares of all pairs, `acc` of those answered.

    A pair whose label prefers neither answer has no term of `acc`.
    """
    key, verdict, tokens = prompt_key(pair.prompt), said["verdict"], said["tokens"]
    stages = {f"by_{name}": _term(key, verdict and said["stage"] == name) for name in STAGES}
    return {
        "answered": _term(key, verdict),
        "acc": _term(key, verdict == "A") if verdict and pair.preferred else (),
        "prompt_tokens": (key, float(tokens["prompt"]), 1.0),
        "written_tokens": (key, float(tokens["written"]), 1.0),
        **stages,
        "problem": _term(key, said["problem"]),
    }


def _term(key: str, counts: object) -> Term:
    return key, float(bool(counts)), 1.0


def ratio(terms: Sequence[Sequence[Any]]) -> float | None:
    """Return a figure from the terms of all pairs; None where no pair has one."""
    known = [term for term in terms if term]
    return sum(t[1] for t in known) / sum(t[2] for t in known) if known else None


def _end(place: int, terms: Sequence[Sequence[Any]]) -> float | None:
    clusters: dict[str, tuple[float, float]] = {}
    for term in terms:
        if term:
            hits, weight = clusters.get(term[0], (0.0, 0.0))
            clusters[term[0]] = hits + term[1], weight + term[2]
    interval = clustered_interval(clusters.values())
    return None if interval is None else interval[place]


def _shown_to(cascade: Cascade, doc: Mapping[str, Any]) -> Pair:
    """Return what a cascade is asked about a document."""
    shown = columns_shown(doc)
    columns = cascade.columns_of(shown.pop("subset"), shown)
    return doc["prompt"], doc["chosen"], doc["rejected"], columns
