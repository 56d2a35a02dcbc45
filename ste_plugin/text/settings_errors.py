"""Settings checked, with errors that say of each wrong one where it is, what was found and expected."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from ste_plugin.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)
_MAPPING, _LIST, _NUMBER, _WHOLE = "settings (key: value)", "a list ([a, b])", "a number", "a whole number"  # fmt: skip
_EXPECTED = {
    "model_type": _MAPPING, "dict_type": _MAPPING, "tuple_type": _LIST, "list_type": _LIST,
    "too_short": "at least {min_length} in the list",
    "int_type": _WHOLE, "int_parsing": _WHOLE, "int_from_float": _WHOLE,
    "float_type": _NUMBER, "float_parsing": _NUMBER, "finite_number": "a finite number",
    "bool_type": "true or false", "bool_parsing": "true or false",
    "string_type": "text (in quotes, if it looks like something else)",
    "path_type": "a path", "literal_error": "{expected}",
    "greater_than_equal": "{ge} or more", "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less", "less_than": "less than {lt}",
}  # fmt: skip
"""pydantic's name of a problem → what was expected."""


def validate_settings(
    model: type[Model], raw: Mapping[str, Any], where: str, *, show: bool = True
) -> Model:
    """Return the settings that a mapping holds; without `show`, no error quotes a value.

    Raises: ConfigError naming `where` and key for anything unknown, missing or out of range.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        told = _told(model, raw, error, show)
    # Outside `except`: pydantic's error holds the values, and one of them may be a key.
    raise ConfigError(
        f"{where}: {len(told)} setting(s) to mend:\n" + "\n".join(f"  {t}" for t in told)
    )


def _told(model: Any, raw: Any, error: ValidationError, show: bool) -> list[str]:
    """Return a line a wrong setting; what any of several kinds might have been is one line."""
    lines: list[str] = []
    expected: dict[tuple[str, str], list[str]] = {}
    for e in error.errors():
        kind, where = e["type"], e["loc"]
        if kind in ("extra_forbidden", "missing"):
            lines.append(
                f"{_joined(where)}: {_unknown(model, where) if kind != 'missing' else _MISSING}"
            )
        elif kind == "value_error":
            message = e["msg"].removeprefix("Value error, ")
            lines.append(f"{_joined(_inside(raw, where))}: {message}".removeprefix(": "))
        else:
            found = f"found {_shown(e['input'])}; " if show else ""
            place = _joined(_inside(raw, where)), found
            wanted = _EXPECTED.get(kind, e["msg"]).format(**_plain(e.get("ctx", {})))
            expected.setdefault(place, []).append(wanted)
    joined = [f"{p}: {found}expected {' or '.join(w)}" for (p, found), w in expected.items()]
    return lines + joined


def _plain(context: Mapping[str, Any]) -> dict[str, Any]:
    return {k: f"{v:g}" if isinstance(v, float) else v for k, v in context.items()}


_MISSING = "missing, and it has no default"


def _joined(where: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in where)


def _inside(raw: Any, where: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the part of a place that is in the settings, without pydantic's names of alternatives."""
    for number, part in enumerate(where):
        known = (
            raw
            if isinstance(raw, Mapping)
            else dict(enumerate(raw))
            if isinstance(raw, (list, tuple))
            else {}
        )
        if part not in known:
            return where[:number]
        raw = known[part]
    return where


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "settings (key: value)"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _unknown(model: Any, where: tuple[str | int, ...]) -> str:
    keys = _keys_at(model, where[:-1])
    near = get_close_matches(str(where[-1]), keys, n=1)
    return f"unknown key; did you mean {near[0]!r}?" if near else f"unknown key; there are: {', '.join(keys)}"  # fmt: skip


def _keys_at(model: Any, where: tuple[str | int, ...]) -> list[str]:
    """Return the keys that a settings model knows at a place."""
    for part in where:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return list(model.model_fields)


def _model_in(annotation: Any) -> Any:
    """Return the settings model inside `X`, `X | None`, `tuple[X, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for part in get_args(annotation) if (m := _model_in(part))), None)
