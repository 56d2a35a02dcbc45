"""What the docstrings below the fields of a class say: the source of reference and `ste init`."""

import ast
import inspect
import re
import textwrap
from itertools import pairwise


def field_docs(cls: type) -> dict[str, str]:
    """Return field → the docstring below it on one line, in their order, bases first.

    Fields without one are left out. Raises: OSError where the source is not there.
    """
    return {
        name: doc
        for base in reversed(cls.__mro__)
        if base.__module__.startswith("ste_plugin")
        for name, doc in _own_docs(base)
    }


def _own_docs(cls: type) -> list[tuple[str, str]]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    (definition,) = tree.body
    assert isinstance(definition, ast.ClassDef)
    return [
        (field.target.id, " ".join(below.value.value.split()))
        for field, below in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    ]


def first_sentence(text: str) -> str:
    """Return a docstring's first sentence without its full stop.

    >>> first_sentence("Kind of file: jsonl, csv. By default jsonl.")
    'Kind of file: jsonl, csv'
    """
    return re.split(r"\.\s", text, maxsplit=1)[0].removesuffix(".")
