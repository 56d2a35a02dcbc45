"""The settings of the judge tasks, which reach lm-eval as environment variables or as metadata."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args

from ste_plugin.errors import ConfigError
from ste_plugin.judging import JudgeFormat
from ste_plugin.plugins.manager import find_contribution, plugin_manager

Mode = Literal["verdict", "official", "likelier"]
TooLong = Literal["refuse", "drop"]
MODES: tuple[Mode, ...] = get_args(Mode)
TOO_LONG: tuple[TooLong, ...] = get_args(TooLong)
Word = TypeVar("Word", bound=str)
PREFIX, DEFAULT_FORMAT, LOCAL = "STE_JUDGE_", "criteria", "local"
MARKS = ("open", "close")
SAMPLED = 0.7
"""Temperature of votes where none is set."""


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

    @classmethod
    def read(cls, environ: Mapping[str, str], metadata: Mapping[str, Any]) -> Self:
        """Return the settings; metadata (`judge_data=…`) wins over the environment.

        lm-eval 0.4.11 passes no metadata to tasks that are classes, so there only the environment
        counts. Raises: ConfigError naming the variable.
        """

        def get(name: str) -> str:
            given = metadata.get(f"judge_{name}", environ.get(PREFIX + name.upper(), ""))
            return json.dumps(given) if isinstance(given, dict) else str(given).strip()

        benchmark, temperature = get("benchmark") or LOCAL, get("temperature")
        if benchmark == LOCAL and not get("data"):
            raise ConfigError(
                f"{PREFIX}DATA is not set: ste_local needs the path of a file of pairs (id, "
                "subset, prompt, chosen, rejected), as in STE_JUDGE_DATA=pairs.jsonl (ste eval: "
                "--data)."
            )
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
            omit=tuple(re.split(r"[\s,]+", get("omit"))) if get("omit") else (),
        )

    def environment(self) -> dict[str, str]:
        """Return the variables from which `read` gives these settings again, paths absolute."""
        given = {
            "DATA": str(self.data.absolute()) if self.data else "",
            "FORMAT": self.format,
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
        common = {
            "do_sample": temperature > 0,
            "temperature": temperature,
            "repetition_penalty": 1.0,
            "max_gen_toks": max_new_tokens,
            "until": [],
        }
        if not temperature:
            return common
        # lm-eval's API backends send one seed with every request unless the request holds one: all
        # votes would be the same. None is the one value that hf, vLLM and servers all take as "no
        # seed"; top_k is 50 in transformers unless it is 0.
        return common | {"top_p": self.top_p, "top_k": 0, "seed": None}

    def load_judge_format(self) -> JudgeFormat:
        """Return the format of that name, a plugin's included.

        Raises: ConfigError where there is none, PluginError where a plugin does not fit.
        """
        where = f"{PREFIX}FORMAT (--format)"
        judge_format: JudgeFormat = find_contribution(
            plugin_manager(self.plugins), "ste_judge_formats", self.format, where
        )
        return judge_format


DEFAULTS = JudgeSettings()
"""One greedy verdict per order."""


def where_set(name: str) -> str:
    """Return what a setting is called, in the environment and on the command line."""
    return f"{PREFIX}{name} ({name.lower()} in --judge-args)"


def as_json(found: Mapping[str, Any]) -> str:
    """Return an object as JSON; an empty one is not set."""
    return json.dumps(found) if found else ""


def parse_object(name: str, text: str) -> dict[str, Any]:
    """Return an object, empty where unset. Raises: ConfigError where the text is none."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigError(
            f"{where_set(name)}: found {text!r}; expected a JSON object, as "
            '{"enable_thinking": false}.'
        )
    return found


def parse_marks(name: str, text: str) -> tuple[str, str] | None:
    """Return what opens and closes a thought, or None where unset.

    Raises: ConfigError where it is no object of the two.
    """
    found = parse_object(name, text)
    if not found:
        return None
    if set(found) != set(MARKS) or not all(isinstance(v, str) and v for v in found.values()):
        raise ConfigError(
            f"{where_set(name)}: found {text!r}; expected a JSON object of two texts, as "
            '{"open": "<scratch>", "close": "</scratch>"}.'
        )
    return found["open"], found["close"]


def parse_switch(name: str, text: str) -> bool:
    """Return whether a switch is on. Raises: ConfigError where it is neither on nor off."""
    if text.lower() not in ("", "0", "1", "true", "false"):
        raise ConfigError(f"{where_set(name)}: found {text!r}; expected 1 or 0.")
    return text.lower() in ("1", "true")


def parse_count(name: str, text: str, minimum: int = 1) -> int | None:
    """Return a count, or None where unset. Raises: ConfigError where it is none."""
    if not text:
        return None
    if not text.isdecimal() or int(text) < minimum:
        raise ConfigError(
            f"{where_set(name)}: found {text!r}; expected a whole number from {minimum}."
        )
    return int(text)


def parse_number(name: str, text: str, maximum: float) -> float:
    """Return a number from 0. Raises: ConfigError where it is none."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= maximum:
        raise ConfigError(
            f"{where_set(name)}: found {text!r}; expected a number from 0 to {maximum:g}."
        )
    return number


def parse_word(name: str, text: str, words: tuple[Word, ...]) -> Word:
    """Return the word given, by default the first. Raises: ConfigError where it is none of them."""
    chosen = text or words[0]
    for word in words:
        if word == chosen:
            return word
    raise ConfigError(f"{where_set(name)}: found {text!r}; expected {' or '.join(words)}.")
