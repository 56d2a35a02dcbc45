"""The config that `ste init` writes: every setting of `ste_plugin.config`, with its default."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ste_plugin.config import RunConfig
from ste_plugin.text.field_docs import field_docs, first_sentence
from ste_plugin.text.safe_yaml import one_line
from ste_plugin.text.settings_errors import model_in

HEAD = """\
## A run: from unlabelled instructions to a trained, measured judge. Start it: ste run ste.yaml
## Lines that begin with one # show the defaults. To change a setting take its # off, and that of
## the block around it. What has no default is set already: put your own there.
## Llama 3.1 is gated: accept its licence on the hub, then `hf auth login`, or name another model.
"""
COLUMN, WIDTH = 34, 110
"""Where an explanation begins, and how far it may go; a longer one stands above its setting."""


class Line(NamedTuple):
    """A setting without its comment marks."""

    indent: int
    off: int | None
    """Column of the mark that comments it out: the indentation of the outermost such block."""
    text: str
    doc: str
    example: str = ""


def starter() -> str:
    """Return commented YAML: required settings with an example, all others with their defaults."""
    return HEAD + "".join(f"{line}\n" for line in _formatted(_lines(RunConfig)))


def _lines(model: type[BaseModel], indent: int = 0, off: int | None = None) -> Iterator[Line]:
    """Yield the settings of a model in their order, required ones first."""
    docs = field_docs(model)
    for name, field in sorted(model.model_fields.items(), key=_required_first(indent)):
        doc = first_sentence(docs[name]) + _choices(field.annotation)
        mark = off if off is not None or field.is_required() else indent
        inner = model_in(field.annotation)
        if inner is None or field.get_default(call_default_factory=True) in (None, (), {}):
            yield Line(indent, mark, f"{name}: {_value(field)}", doc, _example(name, field))
            continue
        yield Line(indent, mark, f"{name}:", doc)
        if get_origin(field.annotation) is tuple:
            first, *others = _lines(inner, indent + 4)
            yield from (first._replace(indent=indent + 2, text=f"- {first.text}"), *others)
        else:
            yield from _lines(inner, indent + 2, mark)


def _required_first(indent: int) -> Any:
    """Return a sort key; the order of the blocks themselves is the method's and stays."""
    return lambda item: indent > 0 and not item[1].is_required()


def _value(field: FieldInfo) -> str:
    """Return a setting's default, or an example of what has none."""
    if field.is_required():
        return one_line((field.examples or [None])[0])
    return one_line(field.get_default(call_default_factory=True))


def _choices(annotation: Any) -> str:
    """Return in brackets the words that a setting may be, or nothing."""
    kinds = () if get_origin(annotation) is tuple else (annotation, *get_args(annotation))
    words = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
    return f" ({', '.join(words)})" if words else ""


def _example(name: str, field: FieldInfo) -> str:
    """Return an example of a setting that has a default, or nothing."""
    if field.is_required() or not field.examples:
        return ""
    given = {name: field.examples[0]}
    return "for example:\n" + yaml.safe_dump(given, default_flow_style=None, sort_keys=False)


def _formatted(lines: Iterator[Line]) -> Iterator[str]:
    """Yield the text, a blank line around every block."""
    inside = False
    for line in lines:
        if line.indent == 0 and (inside or line.text.endswith(":")):
            yield ""
        inside = line.indent > 0
        left, mark = " " * line.indent + line.text, line.indent
        if line.off is not None:
            left, mark = f"{left[: line.off]}# {left[line.off :]}", line.off
        together = f"{left:<{COLUMN}} # {line.doc}"
        if len(left) <= COLUMN and len(together) <= WIDTH:
            yield together
        else:
            yield f"{' ' * mark}## {' ' * (line.indent - mark)}{line.doc}"
            yield left
        yield from (f"## {part}" for part in line.example.splitlines())
