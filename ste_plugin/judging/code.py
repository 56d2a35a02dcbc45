"""What of a plugin's classes and values is put into its version, as text."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from inspect import isbuiltin, isfunction, ismethod
from types import FunctionType
from typing import Any

from ste_plugin.judging.source import is_own_module, source_of


def own_classes(kind: type, base: type) -> list[type]:
    """Return the classes that a plugin's class is made of, without what `base` is made of."""
    return [
        c
        for c in kind.__mro__
        if c not in base.__mro__ and (issubclass(c, base) or is_own_module(c.__module__))
    ]


def held_by(kind: type) -> str:
    """Return the attributes of a class whose source cannot be found: one without methods."""
    values = {k: v for k, v in vars(kind).items() if not k.startswith("__")}
    plain = {k: as_text(v) for k, v in values.items() if not hasattr(v, "__get__")}
    return "\n".join(f"{name} = {plain[name]}" for name in sorted(plain))


def as_text(value: Any) -> str:
    """Return a text of a value that is the same in every process, with the code it consists of."""
    if isfunction(value) or isinstance(value, type):
        return source_of(value) or value.__qualname__
    ordered = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
    shown = re.sub(r" at 0x[0-9a-f]+", "", repr(ordered))
    return "\n".join([shown, *map(as_text, _parts(ordered))]) if _has_code(ordered) else shown


def _has_code(value: Any) -> bool:
    """Return whether a value, or one within it, is more than its `repr` says."""
    hidden = isinstance(value, re.Pattern | partial | FunctionType | type) or ismethod(value)
    return hidden or _is_object(value) or any(map(_has_code, _parts(value)))


def _is_object(value: Any) -> bool:
    """Return whether a value is of a class of the plugin's own."""
    return not isbuiltin(value) and is_own_module(type(value).__module__)


def _parts(value: Any) -> Iterator[Any]:
    """Yield what a value consists of, where that is known."""
    if isinstance(value, re.Pattern):
        yield from (value.pattern, value.flags)
    elif isinstance(value, partial):
        yield from (value.func, value.args, value.keywords)
    elif ismethod(value):
        yield from (value.__func__, value.__self__)
    elif isinstance(value, Mapping):
        yield from (*value.keys(), *value.values())
    elif isinstance(value, list | tuple):
        yield from value
    elif _is_object(value):
        yield type(value)  # not what it holds: that may change while it is used
