"""The source of what a plugin defines, as far as its behaviour depends on it.

A version that is made of it is the same in every process and under every version of Python, since
it is made of text; Python's own parser only finds where statements begin and end.
"""

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from inspect import unwrap
from pathlib import Path
from types import CellType, CodeType, FunctionType
from typing import Any

_INSTALLED = {"site-packages", "dist-packages", "ste_plugin"}
"""Where code lies, or what it is called, that is no part of a plugin that imports it."""
_NO_PLUGIN = {"ste_plugin", *sys.stdlib_module_names}
Definition = type | Callable[..., Any]


@cache
def source_of(definition: Definition) -> str:
    """Return the statements that a class or function depends on, in the order of their file.

    Its own, those that define names which these use, and those that change what these name: neither
    another hook in the file nor a comment between them changes the text. Of modules that these
    import and that are not installed it is the whole text, and that of those they import in turn.
    Empty where there is no source, as in a frozen application.
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
    whole = not due  # within a function, or without a name
    while due:
        statement = due.pop()
        if statement not in needed:
            needed.add(statement)
            names = _used(statement)
            due += [s for name in names for s in by_name.get(name, ())]
            due += [s for s in statements if _changes(s, names | _defined(statement))]
    kept = statements if whole else [s for s in statements if s in needed or "*" in _defined(s)]
    own = [text] if whole else [_text(s, text) for s in kept]
    modules: dict[Path, str] = {}
    _add_imported(kept, definition.__module__, path, modules)
    return "\n".join([*own, *(modules[file] for file in sorted(modules))])


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
    """Yield the code of a definition that was written in its own module.

    Dataclasses and decorators give a class functions of other modules.
    """
    members = vars(definition).values() if isinstance(definition, type) else (definition,)
    for function in (f for member in members for f in _functions_of(member)):
        in_file = function.__code__.co_filename != "<string>"
        if in_file and function.__globals__.get("__name__") == definition.__module__:
            yield function.__code__


def _functions_of(member: Any) -> Iterator[FunctionType]:
    """Yield the function that a member of a class is, and those that a decorator put it into."""
    function = unwrap(getattr(member, "fget", getattr(member, "__func__", member)))
    if isinstance(function, FunctionType):
        yield function
        held = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        yield from (each for each in held if isinstance(each, FunctionType))


def _is_filled(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _defined(statement: ast.stmt) -> set[str]:
    """Return the names that a statement binds in its module."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(a.asname or a.name).partition(".")[0] for a in statement.names}
    nodes = ast.walk(statement)
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _changes(statement: ast.stmt, names: set[str]) -> bool:
    """Return whether a statement of a module changes what one of these names holds, in place."""
    defining = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
    if isinstance(statement, defining):
        return False
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    plain = all(isinstance(target, ast.Name | ast.Tuple) for target in targets)
    if isinstance(statement, ast.Assign | ast.AnnAssign) and plain:
        return False
    return bool(names & _used(statement))


def _used(statement: ast.stmt) -> set[str]:
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}


def _add_imported(
    statements: Sequence[ast.stmt], importer: str, path: Path, modules: dict[Path, str]
) -> None:
    """Add file → text of all modules that statements of a file import, however deep in them.

    Those of the plugin's own package, or that are neither installed nor Python's.
    """
    for name in [n for s in statements for each in ast.walk(s) for n in _imported(each, importer)]:
        file = _file_of_module(name, importer)
        if file is None or file == path or file in modules:
            continue
        modules[file] = text = file.read_text("utf-8")
        try:
            _add_imported(ast.parse(text).body, name, path, modules)
        except SyntaxError:  # its text says it all
            continue


def is_own_module(name: str) -> bool:
    """Return whether a module may be a plugin's own, rather than installed or Python's."""
    file = _file_of_module(name, "")
    loaded_by_hand = name not in sys.modules and name.partition(".")[0] not in _NO_PLUGIN
    return file is not None or loaded_by_hand


def _file_of_module(name: str, importer: str) -> Path | None:
    """Return the file of a module that may be a plugin's own; None for any other."""
    top = name.partition(".")[0]
    same_package = top == importer.partition(".")[0]
    if not top or top in _NO_PLUGIN:
        return None
    for each in (top, name):  # to find a module imports its package, which only an own one may
        try:
            found = sys.modules[each].__spec__ if each in sys.modules else find_spec(each)
        except (ImportError, ValueError):
            return None
        file = Path(getattr(found, "origin", None) or "/")
        if not same_package and _INSTALLED & set(file.parts):
            return None
    return file if file.suffix == ".py" else None


def _imported(node: ast.AST, importer: str) -> list[str]:
    """Return the full names of modules that a statement may import."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    package = importer.rsplit(".", node.level)[0] if node.level else ""
    module = ".".join(part for part in (package, node.module) if part)
    return [module, *(f"{module}.{alias.name}" for alias in node.names)]


def _text(statement: ast.stmt, module: str) -> str:
    """Return the source of a statement, with its decorators, without trailing blanks."""
    marks: list[ast.expr] = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(mark.lineno for mark in marks)])
    lines = module.splitlines()[first - 1 : statement.end_lineno]
    return "\n".join(line.rstrip() for line in lines)
