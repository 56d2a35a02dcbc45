"""The source of what a plugin defines, as far as its behaviour depends on it.

A version that is made of it is the same in every process and under every version of Python, since
it is made of text; Python's own parser only finds where statements begin and end.
"""

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

_INSTALLED = {"site-packages", "dist-packages", "ste_plugin"}
"""Where code lies, or what it is called, that is no part of a plugin that imports it."""
Definition = type | Callable[..., Any]


@cache
def source_of(definition: Definition) -> str:
    """Return the statements that a class or function depends on, in the order of their file.

    Its own and those that define names which these use: neither another hook in the file nor a
    comment between them changes the text. Of modules beside the file that these import, it is the
    whole text. Empty where there is no source, as in a frozen application.
    """
    text, path = _file_of(definition)
    try:
        statements = ast.parse(text).body
    except SyntaxError:  # written for another Python, and compiled before it came here
        return text
    by_name: dict[str, list[ast.stmt]] = {}
    for statement in statements:
        for name in _defined(statement):
            by_name.setdefault(name, []).append(statement)
    due, needed = list(by_name.get(definition.__name__, ())), set[ast.stmt]()
    if not due:  # within a function, or without a name
        return text
    while due:
        statement = due.pop()
        if statement not in needed:
            needed.add(statement)
            due += [s for name in _used(statement) for s in by_name.get(name, ())]
    kept = [s for s in statements if s in needed]
    imported = [other for s in kept for other in _modules_beside(path, s, definition.__module__)]
    return "\n".join([*(_text(s, text) for s in kept), *imported])


def _file_of(definition: Definition) -> tuple[str, Path]:
    """Return text and path of the file that holds the code of a definition.

    A file that is loaded as a plugin is in no list of modules, where `inspect` looks for classes.
    """
    for code in _codes_of(definition):
        try:
            return "".join(inspect.findsource(code)[0]), Path(code.co_filename)
        except (OSError, TypeError):
            continue
    return "", Path()


def _codes_of(definition: Definition) -> Iterator[CodeType]:
    members = vars(definition).values() if isinstance(definition, type) else (definition,)
    for member in members:
        function = getattr(member, "fget", getattr(member, "__func__", member))
        if isinstance(function, FunctionType) and function.__code__.co_filename != "<string>":
            yield function.__code__


def _defined(statement: ast.stmt) -> set[str]:
    """Return the names that a statement binds in its module."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(a.asname or a.name).partition(".")[0] for a in statement.names}
    nodes = ast.walk(statement)
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _used(statement: ast.stmt) -> set[str]:
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}


def _modules_beside(path: Path, statement: ast.stmt, importer: str) -> Iterator[str]:
    """Yield the text of what a statement imports from the plugin's own folder or package."""
    for name in _imported(statement, importer):
        file = Path(getattr(sys.modules.get(name), "__file__", None) or "/")
        if file.suffix == ".py" and file.is_relative_to(path.parent):
            same_package = name.partition(".")[0] == importer.partition(".")[0]
            if same_package or not _INSTALLED & {*file.parts, name.partition(".")[0]}:
                yield file.read_text("utf-8")


def _imported(statement: ast.stmt, importer: str) -> list[str]:
    """Return the full names of modules that a statement may import."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    if not isinstance(statement, ast.ImportFrom):
        return []
    package = importer.rsplit(".", statement.level)[0] if statement.level else ""
    module = ".".join(part for part in (package, statement.module) if part)
    return [module, *(f"{module}.{alias.name}" for alias in statement.names)]


def _text(statement: ast.stmt, module: str) -> str:
    """Return the source of a statement, with its decorators, without trailing blanks."""
    marks: list[ast.expr] = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(mark.lineno for mark in marks)])
    lines = module.splitlines()[first - 1 : statement.end_lineno]
    return "\n".join(line.rstrip() for line in lines)
