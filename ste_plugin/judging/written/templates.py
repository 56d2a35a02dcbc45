"""Templates of turns: Jinja with nothing in it that could read, call or grow."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import ChainableUndefined, StrictUndefined, Template, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ste_plugin.errors import nearest_or

FIELDS = ("instruction", "answer_a", "answer_b", "first", "second", "rubric")
"""What every template may show, beside columns of the row."""
ANSWER = "answer"
"""What a template of a format that rates each answer alone shows, too."""
_FILTERS = ("trim", "length", "upper", "lower", "default", "join", "first", "last", "list")
_KNOWN = (
    *("Template", "Output", "TemplateData", "Name", "Const", "Concat", "List", "Tuple"),
    *("If", "For", "CondExpr", "Compare", "Operand", "And", "Or", "Not"),
    *("Filter", "Test", "Getattr", "Getitem"),
)
"""What a template may consist of: nothing that calls, assigns or calculates, so that what comes
out grows with what is shown and no faster."""

_CALLED = {
    "Call": "a call",
    "Assign": "{% set %}",
    "Include": "{% include %}",
    "Macro": "{% macro %}",
    "Slice": "a slice",
} | dict.fromkeys(("Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow", "Neg"), "a calculation")


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    return environment


@lru_cache(maxsize=64)
def compiled(template: str) -> Template:
    """Return a template, ready to render. Raises: jinja2.TemplateError."""
    return _environment().from_string(template)


def check_template(template: str, where: str, columns: Collection[str]) -> None:
    """Raise ValueError where a template is none, or names a field that is none."""
    try:
        parsed = _environment().parse(template)
        compiled(template)
    except TemplateError as error:
        number = getattr(error, "lineno", None)
        line = f"line {number}: " if number else ""
        raise ValueError(
            f"{where}: {line}found {error.message}; expected a Jinja template with the filters "
            f"{', '.join(_FILTERS)}. Correct it"
        ) from error
    refuse_unknown_parts(parsed, where)
    known = (*FIELDS, *columns)
    for name in sorted(meta.find_undeclared_variables(parsed) - set(known)):
        there = nearest_or(f"there are: {', '.join(known)}", name, known)
        raise ValueError(
            f"{where}: found {{{{ {name} }}}}, which is no field; {there} A column of the row has "
            "to be named in `columns`"
        )


def refuse_unknown_parts(parsed: nodes.Template, where: str) -> None:
    """Raise ValueError where a template does more than show, loop once and choose."""
    for node in parsed.find_all(nodes.Node):
        kind = type(node).__name__
        nested = isinstance(node, nodes.For) and next(node.find_all(nodes.For), None)
        if kind not in _KNOWN or nested:
            what = "a loop in a loop" if nested else _CALLED.get(kind, f"{kind} (of Jinja)")
            raise ValueError(
                f"{where}: line {node.lineno}: found {what}; expected words, {{{{ fields }}}}, "
                "{% if %} and {% for %} alone. Write it plainly"
            )


def rendered_without_columns(template: str, values: Mapping[str, Any]) -> str:
    """Return a turn's words before there is a row: nothing stands where a column will.

    Raises: ValueError where a value does not fit the template.
    """
    environment = _environment().overlay(undefined=ChainableUndefined)
    try:
        return environment.from_string(template).render(values)
    except (TemplateError, TypeError, LookupError, AttributeError) as error:
        raise ValueError(str(error).rstrip(".")) from error


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """Return a turn's words. Raises: ValueError where a value does not fit the template."""
    try:
        return compiled(template).render(values)
    except (TemplateError, TypeError, LookupError, AttributeError) as error:
        raise ValueError(str(error).rstrip(".")) from error
