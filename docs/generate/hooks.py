"""What plugins may implement: a table of the hooks, and a section for each with an example."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator

from docs.generate.markdown import code, sentence, table
from ste_plugin import hookspecs
from ste_plugin.plugins.manager import contributed_names, hook_descriptions, plugin_manager
from ste_plugin.plugins.new_plugin import TEMPLATE

LABELS = ("Called", "Order", "None")
"""What each docstring says behind its first words: when, in which order, and what None does."""
_LABELLED = re.compile(rf"^({'|'.join(LABELS)}): (.+(?:\n  .+)*)", re.MULTILINE)
_NAME = "acme"
_CODE = TEMPLATE / "package" / "{{module}}"


def hooks() -> str:
    """Return a table of the hooks, with what the package itself contributes by name."""
    own = contributed_names(plugin_manager())["builtin"]
    rows = [
        (f"[{code(name)}](#{name})", sentence(_doc(name)), ", ".join(map(code, own.get(name, []))))
        for name in hook_descriptions()
    ]
    return table(("hook", "what it does", "built in"), rows)


def hook_sections() -> str:
    """Return a section for each hook: signature, what it does, when, order, None, an example."""
    return "\n\n".join(_section(name) for name in hook_descriptions())


def _section(hook: str) -> str:
    doc = _doc(hook)
    said = {label: " ".join(text.split()) for label, text in _LABELLED.findall(doc)}
    told = " ".join(_LABELLED.sub("", doc).split())
    listed = "\n".join(f"- {label}: {said[label]}" for label in LABELS)
    example = "\n\n\n".join(_example(hook))
    return (
        f"### {hook}\n\n```text\n{_signature(hook)}\n```\n\n{told}\n\n{listed}\n\n"
        f"```python\n{example}\n```"
    )


def _doc(hook: str) -> str:
    return inspect.getdoc(getattr(hookspecs, hook)) or ""


def _signature(hook: str) -> str:
    shown = str(inspect.signature(getattr(hookspecs, hook)))
    return f"{hook}{re.sub(r'(?:[a-z_]+[.])+(?=[A-Z])', '', shown.replace(chr(39), ''))}"


def _example(hook: str) -> Iterator[str]:
    """Yield what a new package has for a hook: its function, and what that names elsewhere."""
    function, names = _named(hook)
    yield f"@hookimpl\n{function}"
    for module, name in names:
        text, tree = _read(module)
        nodes = [node for node in tree.body if _defined(node) & _needed(tree, name)]
        shown = "\n\n\n".join(ast.get_source_segment(text, node) or "" for node in nodes)
        yield f"# {module}.py\n{shown}"


def _needed(tree: ast.Module, name: str) -> set[str]:
    """Return a name of a module and those that its definition needs of the same module."""
    definitions = {name: node for node in tree.body for name in _defined(node)}
    needed, todo = set(), [name]
    while todo:
        if (current := todo.pop()) in definitions and current not in needed:
            needed.add(current)
            todo += [n.id for n in ast.walk(definitions[current]) if isinstance(n, ast.Name)]
    return needed


def _named(hook: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a hook's function, and (module, name) of what it takes from modules beside it."""
    text, tree = _read("hooks")
    (node,) = [n for n in tree.body if hook in _defined(n)]
    imported = {
        alias.asname or alias.name: alias.name
        for inner in ast.walk(node)
        if isinstance(inner, ast.ImportFrom)
        for alias in inner.names
    }
    names = [
        (imported[n.value.id], n.attr)
        for n in ast.walk(node)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in imported
    ]
    lazily = re.findall(r"\.(\w+):(\w+)", ast.get_source_segment(text, node) or "")
    return ast.get_source_segment(text, node) or "", list(dict.fromkeys([*names, *lazily]))


def _read(module: str) -> tuple[str, ast.Module]:
    """Return a module of a new package, as text and parsed."""
    text = (_CODE / f"{module}.py.jinja").read_text(encoding="utf-8")
    text = re.sub(r"\{\{ (?:name|module) \}\}", _NAME, text)
    return text, ast.parse(text)


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    return set()


BLOCKS: dict[str, Callable[[], str]] = {"hooks": hooks, "hook-sections": hook_sections}
