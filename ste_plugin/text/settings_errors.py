"""Settings checked, with errors that say for each where it is, what was found and expected."""

from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from ste_plugin.errors import ConfigError, nearest_or

Model = TypeVar("Model", bound=BaseModel)
KeyPath = tuple[str | int, ...]
"""Keys and list positions that lead to a setting."""

_MAPPING = "settings (key: value)"
_LIST = "a list ([a, b])"
_NUMBER = "a number"
_WHOLE_NUMBER = "a whole number"
_BOOLEAN = "true or false"
_EXPECTED = {
    "model_type": _MAPPING,
    "dict_type": _MAPPING,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "too_short": "at least {min_length} in the list",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "a finite number",
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "string_type": "text (in quotes, if it looks like something else)",
    "path_type": "a path",
    "literal_error": "{expected}",
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
}
"""pydantic's name of a problem → what was expected."""
_MAX_VALUE_LETTERS = 60


def validate_settings(
    model: type[Model], raw: Mapping[str, Any], where: str, *, show: bool = True
) -> Model:
    """Return the settings that a mapping holds; without `show`, no error quotes a value.

    Raises: ConfigError naming `where` and key for anything unknown, missing or out of range.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems = _explain_problems(model, raw, error, show)
    # Outside `except`: pydantic's error holds the values, and one of them may be a key.
    listed = "\n".join(f"  {problem}" for problem in problems)
    raise ConfigError(f"{where}: {len(problems)} setting(s) to fix:\n{listed}")


def _explain_problems(model: Any, raw: Any, error: ValidationError, show: bool) -> list[str]:
    """Return one line per wrong setting, also where any of several types would have fitted."""
    lines: list[str] = []
    expected: dict[tuple[str, str], list[str]] = {}
    for e in error.errors():
        problem, path = e["type"], e["loc"]
        if problem == "missing":
            lines.append(f"{_dotted(path)}: missing, and it has no default")
        elif problem == "extra_forbidden":
            lines.append(f"{_dotted(path)}: {_explain_unknown_key(model, path)}")
        elif problem == "value_error":
            message = e["msg"].removeprefix("Value error, ")
            lines.append(f"{_dotted(_path_in(raw, path))}: {message}".removeprefix(": "))
        else:
            found = f"found {_describe(e['input'])}; " if show else ""
            wanted = _EXPECTED.get(problem, e["msg"]).format(**_readable(e.get("ctx", {})))
            expected.setdefault((_dotted(_path_in(raw, path)), found), []).append(wanted)
    mistyped = [f"{key}: {found}expected {' or '.join(w)}" for (key, found), w in expected.items()]
    return lines + mistyped


def _readable(context: Mapping[str, Any]) -> dict[str, Any]:
    return {k: f"{v:g}" if isinstance(v, float) else v for k, v in context.items()}


def _dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)


def _path_in(raw: Any, path: KeyPath) -> KeyPath:
    """Return the part of a path that is in the settings: pydantic appends names of alternatives."""
    for depth, part in enumerate(path):
        children = dict(enumerate(raw)) if isinstance(raw, (list, tuple)) else raw
        if not isinstance(children, Mapping) or part not in children:
            return path[:depth]
        raw = children[part]
    return path


def _describe(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return _MAPPING
    text = repr(value)
    return text if len(text) <= _MAX_VALUE_LETTERS else f"{text[: _MAX_VALUE_LETTERS - 1]}…"


def _explain_unknown_key(model: Any, path: KeyPath) -> str:
    keys = _keys_at(model, path[:-1])
    hint = nearest_or(f"there are: {', '.join(keys)}", str(path[-1]), keys)
    return f"unknown key; {hint}"


def _keys_at(model: Any, path: KeyPath) -> list[str]:
    """Return the keys that a settings model knows at a place."""
    for part in path:
        if isinstance(part, str):
            model = model_in(_field(model, part).annotation)
    return [field.alias or name for name, field in model.model_fields.items()]


def _field(model: Any, key: str) -> Any:
    fields = model.model_fields
    return next(f for name, f in fields.items() if key in (name, f.alias))


def model_in(annotation: Any) -> Any:
    """Return the settings model inside `X`, `X | None`, `tuple[X, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for part in get_args(annotation) if (m := model_in(part))), None)
