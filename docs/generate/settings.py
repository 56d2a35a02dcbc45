"""Tables of settings, from the models that check them."""

import types
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs.generate.markdown import code, table
from ste_plugin.axolotl.settings import STESettings
from ste_plugin.config import RunConfig
from ste_plugin.engines.decisions.options import DecisionOptions
from ste_plugin.engines.http.options import EndpointOptions, HttpOptions
from ste_plugin.engines.http.prices import Prices
from ste_plugin.engines.local.options import LocalOptions
from ste_plugin.engines.ray.options import RayOptions
from ste_plugin.engines.vllm.options import VllmOptions
from ste_plugin.engines.vllm.server import ServeOptions
from ste_plugin.lm_eval_tasks.setting_values import PREFIX
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.run.redo import first_stage
from ste_plugin.text.field_docs import field_docs
from ste_plugin.text.safe_yaml import one_line
from ste_plugin.text.settings_errors import model_in

HEAD = ("setting", "value", "default", "what it does")
NAMES = {str: "text", int: "whole number", bool: "true or false", float: "number", Path: "path"}
_LIMITS = {"ge": "≥ {:g}", "gt": "> {:g}", "le": "≤ {:g}", "lt": "< {:g}"}


def run_settings() -> str:
    """Return a section for each block of a run's config."""
    alone = [name for name, field in RunConfig.model_fields.items() if not _is_block(field)]
    sections = ["## The run", _run_table(RunConfig, "", alone)]
    for name, field in RunConfig.model_fields.items():
        if _is_block(field) and (model := model_in(field.annotation)):
            title = "judge, generator" if name == "judge" else name
            sections += [f"## {title}", _about(model), _run_table(model, f"{name}.")]
    return "\n\n".join(sections)


def _is_block(field: FieldInfo) -> bool:
    return model_in(field.annotation) is not None and field.default is not None


def _is_empty(field: FieldInfo) -> bool:
    """Return whether a block may be there several times, and by default is not at all."""
    return field.get_default(call_default_factory=True) in ((), {})


def _run_table(model: type[BaseModel], place: str, names: list[str] | None = None) -> str:
    rows = [(*row, changed(row[0])) for row in rows_of(model, place, names)]
    return table((*HEAD, "changed"), [(code(name), *others) for name, *others in rows])


def changed(setting: str) -> str:
    """Return from which stage a run is redone where this setting was changed since it began."""
    stage = first_stage(f"{setting}." if setting.endswith("options") else setting)
    return "another run" if setting == "run" else code(stage) if stage else "free"


def rows_of(
    model: type[BaseModel], place: str = "", names: list[str] | None = None
) -> Iterator[tuple[str, ...]]:
    """Yield name, kind of value, default and meaning of each setting, those inside blocks, too.

    Raises: KeyError for a setting without a docstring.
    """
    docs = field_docs(model)
    for name in names or model.model_fields:
        field = model.model_fields[name]
        inner = model_in(field.annotation)
        is_block = inner and names is None and _is_block(field) and not field.is_required()
        if not is_block or _is_empty(field):
            yield f"{place}{name}", _kind_of(field), _default(field), docs[name]
        if inner and is_block:
            yield from rows_of(inner, f"{place}{name}.")


def _kind_of(field: FieldInfo) -> str:
    return kind(field.annotation, *field.metadata)


def kind(annotation: Any, *limits: Any) -> str:
    """Return what a value may be, in words."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind(inside[0], *inside[1:])
    if origin is Literal:
        return ", ".join(f"`{one_line(word)}`" for word in inside)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(kind(i) for i in inside if i is not type(None)))
    if origin is tuple:
        return f"list of {kind(inside[0])}"
    if origin is dict:
        return f"{kind(inside[0])} → {kind(inside[1])}"
    if (inner := model_in(annotation)) is not None:
        return "keys " + ", ".join(map(code, inner.model_fields))
    return ", ".join([NAMES.get(annotation, "anything"), *_limits(limits)])


def _limits(found: tuple[Any, ...]) -> Iterator[str]:
    for limit in (part for one in found for part in getattr(one, "metadata", (one,))):
        for name, words in _LIMITS.items():
            if (value := getattr(limit, name, None)) is not None:
                yield words.format(value)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return _shown(field.get_default(call_default_factory=True))


def _shown(value: Any) -> str:
    return "" if value in (None, "", (), {}) else code(one_line(value))


def _default_of(setting: Field[Any]) -> str:
    value = setting.default
    return _shown("" if value is MISSING else value)


def _about(model: type) -> str:
    return " ".join((model.__doc__ or "").split())


def _options(model: type[BaseModel], beside: type[BaseModel] | None = None) -> Callable[[], str]:
    """Return what writes a table of a model's settings, without those of the model `beside` it."""

    def write() -> str:
        known = beside.model_fields if beside else {}
        rows = [row for row in rows_of(model) if row[0] not in known]
        return table(HEAD, [(code(name), *others) for name, *others in rows])

    return write


def judge_settings() -> str:
    """Return the settings of the lm-eval tasks, by the environment variable that sets each."""
    docs, hints = field_docs(JudgeSettings), get_type_hints(JudgeSettings, include_extras=True)
    rows = [
        (code(PREFIX + f.name.upper()), kind(hints[f.name]), _default_of(f), docs[f.name])
        for f in fields(JudgeSettings)
    ]
    return table(("variable", *HEAD[1:]), rows)


BLOCKS: dict[str, Callable[[], str]] = {
    "run-settings": run_settings,
    "local-options": _options(LocalOptions),
    "vllm-options": _options(VllmOptions),
    "serve-options": _options(ServeOptions, beside=VllmOptions),
    "ray-options": _options(RayOptions),
    "http-options": _options(HttpOptions),
    "decision-options": _options(DecisionOptions, beside=HttpOptions),
    "http-endpoints": _options(EndpointOptions),
    "http-prices": _options(Prices),
    "axolotl-settings": _options(STESettings),
    "judge-settings": judge_settings,
}
