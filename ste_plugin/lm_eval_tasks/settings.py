"""The settings of the judge tasks, which reach lm-eval as environment variables or as metadata."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self, get_args

from ste_plugin.errors import ConfigError, did_you_mean
from ste_plugin.judging import JudgeFormat
from ste_plugin.labelled.read import BAD_ROWS, LISTS, LOCAL, BadRows, Lists
from ste_plugin.lm_eval_tasks.fitting_formats import require_choices, require_official
from ste_plugin.lm_eval_tasks.setting_values import (
    MARKS,
    PREFIX,
    as_json,
    parse_columns,
    parse_count,
    parse_labels,
    parse_marks,
    parse_names,
    parse_number,
    parse_object,
    parse_switch,
    parse_word,
)
from ste_plugin.plugins.judge_formats import find_judge_format, is_path
from ste_plugin.plugins.manager import plugin_manager

Mode = Literal["verdict", "official", "likelier"]
TooLong = Literal["refuse", "drop"]
MODES: tuple[Mode, ...] = get_args(Mode)
TOO_LONG: tuple[TooLong, ...] = get_args(TooLong)
DEFAULT_FORMAT = "criteria"
METADATA, NEAR = "judge", 0.9
"""How names in metadata begin, and how near to a setting another name is a misspelt one."""
_NO_BACKEND_HAS = (
    "votes",
    "vote",
    "force",
    "early_stop",
    "too_long",
    "mode",
    "section",
    "benchmark",
    "columns",
    "labels",
    "lists",
    "bad_rows",
)
"""Settings that lack what their names begin with; lm-eval puts model_args into metadata, too."""
_OTHERS_VARIABLES = {"PLUGINS", "DATA"}
"""Names behind `STE_` and `JUDGE_` that are variables of their own."""
SAMPLED = 0.7
"""Temperature of votes where none is set."""

_NO_DATA = (
    f"{PREFIX}DATA is not set: ste_local needs the path of a file of pairs (id, subset, prompt, "
    "chosen, rejected), as in STE_JUDGE_DATA=pairs.jsonl (ste eval: --data)."
)


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """What is judged, and how."""

    data: Path | None = None
    """A file, or a folder with one named after the benchmark; None: the hub."""
    format: str = DEFAULT_FORMAT
    """Judge format, as in training."""
    force: bool = False
    """Also measure the likelier letter after the format's closing words."""
    max_new_tokens: int | None = None
    """By default what the format says."""
    limit: int | None = None
    """Pairs to read."""
    plugins: tuple[Path, ...] = ()
    """`hooks.py` files that are not installed."""
    benchmark: str = LOCAL
    """Which of `benchmarks.BENCHMARKS` the data is."""
    section: str = ""
    """Judge only this section of the benchmark."""
    mode: Mode = "verdict"
    """`verdict`: what the judge says in both orders. `official`: one order per pair, RewardBench's
    parser. `likelier`: no reply, the likelier letter after the closing words, in both orders. A
    verdict is forced in mode `verdict` only."""
    votes: int = 1
    """Samples per order, of which the majority counts; more than one are sampled."""
    temperature: float | None = None
    """By default 0 for one vote, else 0.7."""
    top_p: float = 0.9
    """Of sampling; a greedy reply has none."""
    early_stop: bool = True
    """Draw no vote that could not change the majority."""
    too_long: TooLong = "refuse"
    """What to do about pairs whose prompt does not fit the context; `drop` reports their rate."""
    seed: int = 0
    """Of the order that `official` shows."""
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """What the chat template is given beside the turns, as JSON: {"enable_thinking": false}."""
    thinking: tuple[str, str] | None = None
    """Marks of thoughts, as JSON: {"open": "<scratch>", "close": "</scratch>"}. Those of the known
    families are found without."""
    omit: tuple[str, ...] = ()
    """Names that a server does not take, to be left out of requests, as seed,top_k. Those that its
    first refusal names are found without."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """What the file's columns are called, as prompt=question,chosen=good,rejected=bad or JSON."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What the file writes for a label, as 1=A,2=B,0=tie or JSON."""
    lists: Lists = "best_worst"
    """Which pairs a row makes that ranks several responses: the best with the worst, or all."""
    bad_rows: BadRows = "refuse"
    """What to do about a row that is no pair; `drop` leaves it out and counts it."""

    @classmethod
    def read(cls, environ: Mapping[str, str], metadata: Mapping[str, Any]) -> Self:
        """Return the settings; metadata (`judge_data=…`) wins over the environment.

        lm-eval 0.4.11 passes no metadata to tasks that are classes, so there only the environment
        counts. Raises: ConfigError naming the variable, also for one that is no setting.
        """
        refuse_unknown(unknown_variables(environ), variables())
        refuse_unknown(unknown_metadata(metadata), metadata_names())

        def get(name: str) -> str:
            given = metadata.get(f"judge_{name}", environ.get(PREFIX + name.upper(), ""))
            if isinstance(given, list | tuple):
                return (os.pathsep if name == "plugins" else ",").join(map(str, given))
            return json.dumps(given) if isinstance(given, dict) else str(given).strip()

        benchmark, temperature = get("benchmark") or LOCAL, get("temperature")
        if benchmark == LOCAL and not get("data"):
            raise ConfigError(_NO_DATA)
        return cls(
            data=Path(get("data")) if get("data") else None,
            format=get("format") or DEFAULT_FORMAT,
            force=parse_switch("FORCE", get("force")),
            max_new_tokens=parse_count("MAX_NEW_TOKENS", get("max_new_tokens")),
            limit=parse_count("LIMIT", get("limit")),
            plugins=tuple(Path(p) for p in get("plugins").split(os.pathsep) if p),
            benchmark=benchmark,
            section=get("section"),
            mode=parse_word("MODE", get("mode"), MODES),
            votes=parse_count("VOTES", get("votes")) or 1,
            temperature=parse_number("TEMPERATURE", temperature, 2.0) if temperature else None,
            top_p=parse_number("TOP_P", get("top_p") or "0.9", 1.0),
            early_stop=parse_switch("EARLY_STOP", get("early_stop") or "1"),
            too_long=parse_word("TOO_LONG", get("too_long"), TOO_LONG),
            seed=parse_count("SEED", get("seed"), minimum=0) or 0,
            chat_template_kwargs=parse_object("CHAT_TEMPLATE_KWARGS", get("chat_template_kwargs")),
            thinking=parse_marks("THINKING", get("thinking")),
            omit=parse_names("OMIT", get("omit")),
            columns=parse_columns("COLUMNS", get("columns")),
            labels=parse_labels("LABELS", get("labels")),
            lists=parse_word("LISTS", get("lists"), LISTS),
            bad_rows=parse_word("BAD_ROWS", get("bad_rows"), BAD_ROWS),
        )

    def environment(self) -> dict[str, str]:
        """Return the variables from which `read` gives these settings again, paths absolute."""
        given = {
            "DATA": str(self.data.absolute()) if self.data else "",
            "FORMAT": str(Path(self.format).absolute()) if is_path(self.format) else self.format,
            "FORCE": "1" if self.force else "",
            "MAX_NEW_TOKENS": str(self.max_new_tokens or ""),
            "LIMIT": str(self.limit or ""),
            "PLUGINS": os.pathsep.join(str(p.absolute()) for p in self.plugins),
            "BENCHMARK": self.benchmark,
            "SECTION": self.section,
            "MODE": self.mode,
            "VOTES": str(self.votes),
            "TEMPERATURE": "" if self.temperature is None else str(self.temperature),
            "TOP_P": str(self.top_p),
            "EARLY_STOP": "1" if self.early_stop else "0",
            "TOO_LONG": self.too_long,
            "SEED": str(self.seed),
            "CHAT_TEMPLATE_KWARGS": as_json(self.chat_template_kwargs),
            "THINKING": as_json(dict(zip(MARKS, self.thinking or (), strict=False))),
            "OMIT": ",".join(self.omit),
            "COLUMNS": as_json(self.columns),
            "LABELS": as_json(self.labels),
            "LISTS": self.lists,
            "BAD_ROWS": self.bad_rows,
        }
        return {PREFIX + name: value for name, value in given.items()}

    def generation_kwargs(self, max_new_tokens: int) -> dict[str, Any]:
        """Return lm-eval's generation settings: greedy for one vote, sampling for several.

        Complete, so that no backend falls back on its defaults: vLLM samples unless the temperature
        says otherwise; a model's own generation_config may hold a repetition penalty; a stop word
        would cut the verdict from the reply.
        Raises: ConfigError for several votes at temperature 0, which would all be the same.
        """
        temperature = self.temperature
        if temperature is None:
            temperature = SAMPLED if self.votes > 1 else 0.0
        if self.votes > 1 and not temperature:
            raise ConfigError(
                f"{PREFIX}TEMPERATURE is 0, so {self.votes} votes would all be the same. Set it "
                f"above 0, or {PREFIX}VOTES to 1."
            )
        drawn = {"do_sample": temperature > 0, "temperature": temperature}
        common = drawn | {"repetition_penalty": 1.0, "max_gen_toks": max_new_tokens, "until": []}
        if not temperature:
            return common
        # lm-eval's API backends send one seed with every request unless the request holds one: all
        # votes would be the same. None is the one value that hf, vLLM and servers all take as "no
        # seed"; top_k is 50 in transformers unless it is 0.
        return common | {"top_p": self.top_p, "top_k": 0, "seed": None}

    def asked_in(self, judge_format: JudgeFormat) -> Self:
        """Return the settings for a format: one that writes nothing has likelihoods alone."""
        only = judge_format.only_choices and self.mode == "verdict"
        return replace(self, mode="likelier", force=False) if only else self

    def load_judge_format(self) -> JudgeFormat:
        """Return the format of that name, a plugin's included.

        Raises: ConfigError where there is none, or where mode `official` cannot read it;
        PluginError where a plugin does not fit.
        """
        where, manager = f"{PREFIX}FORMAT (--format)", plugin_manager(self.plugins)
        judge_format = find_judge_format(manager, self.format, where)
        if self.force or self.mode == "likelier":
            require_choices(judge_format, where)
        if self.mode == "official":
            require_official(judge_format, manager, where)
        return judge_format


DEFAULTS = JudgeSettings()
"""One greedy verdict per order."""


def variables() -> list[str]:
    """Return the environment variables of all settings."""
    return [PREFIX + field.name.upper() for field in fields(JudgeSettings)]


def metadata_names() -> list[str]:
    """Return what all settings are called in a task's metadata."""
    return [f"{METADATA}_{field.name}" for field in fields(JudgeSettings)]


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that are set and were meant as settings, but are none."""
    known, start = variables(), PREFIX.rstrip("_")
    bare = {name.removeprefix(PREFIX) for name in known} - _OTHERS_VARIABLES

    def meant(name: str) -> bool:
        like = name.upper().replace("-", "_")
        return (
            like.startswith(start)
            or like.removeprefix("STE_").removeprefix("JUDGE_") in bare - {like}
            or bool(get_close_matches(name, known, 1, NEAR))
        )

    return [name for name, value in environ.items() if value and name not in known and meant(name)]


def unknown_metadata(metadata: Mapping[str, Any]) -> list[str]:
    """Return the names in a task's metadata that were meant as settings, but are none."""
    known = metadata_names()

    def meant(name: str) -> bool:
        like = name.lower().replace("-", "_")
        return (
            like.startswith((METADATA, PREFIX.lower().rstrip("_")))
            or like in _NO_BACKEND_HAS
            or bool(get_close_matches(like, known, 1, NEAR))
        )

    return [name for name in metadata if name not in known and meant(name)]


def refuse_unknown(unknown: Sequence[str], known: Sequence[str]) -> None:
    """Raise ConfigError for the first unknown name, with the nearest known one."""
    for name in unknown:
        like = _as_variable(name) if known[0].isupper() else f"{METADATA}_{_bare(name)}"
        raise ConfigError(
            f"{name}: no such setting.{did_you_mean(like, known)} There are: {', '.join(known)}."
        )


def _as_variable(name: str) -> str:
    like = name.upper().replace("-", "_")
    near = like.startswith(PREFIX.rstrip("_")) or bool(
        get_close_matches(like, variables(), 1, NEAR)
    )
    return like if near else PREFIX + like.removeprefix("STE_").removeprefix("JUDGE_")


def _bare(name: str) -> str:
    return re.sub(f"^(ste_)?{METADATA}", "", name.lower().replace("-", "_")).strip("_")
