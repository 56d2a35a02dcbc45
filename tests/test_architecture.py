"""The shape of the package: who may import whom, and what stays light."""

import ast
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ste_plugin"

LAYERS = (
    ("errors", "records", "config", "screen", "text"),
    ("storage", "progress", "web", "review.labels", "review.majority"),
    ("hosts", "engines"),
    ("judging",),
    (
        "inference",
        "plugins.manager",
        "plugins.loader",
        "plugins.judge_formats",
        "plugins.new_plugin",
        "context",
        "engines.ray",
    ),
    ("instructions", "labelled"),
    ("pairs",),
    ("sampling",),
    ("dataset",),
    ("axolotl", "fitting", "lm_eval_tasks", "evaluation"),
    ("audit", "review", "report", "view"),
    ("run", "forget"),
    ("judge", "publish"),
    ("cascade",),
    ("integrations", "serving"),
    ("hookspecs", "plugins.builtin", "plugins.checks", "testing", "cli", "demo", "__main__"),
)
"""The package in the order of the method: a module imports from its own layer and from those before
it."""

HEAVY = (
    "torch",
    "transformers",
    "datasets",
    "vllm",
    "axolotl",
    "lm_eval",
    "pyarrow",
    "numpy",
    "scipy",
    "sklearn",
)


Graph = dict[str, set[str]]
"""Module → the modules of the package that it imports, by full names without the package's."""


def read_modules() -> dict[str, ast.Module]:
    paths = {
        path: path.relative_to(PACKAGE).with_suffix("").parts for path in PACKAGE.rglob("*.py")
    }
    return {
        ".".join(parts).removesuffix("__init__").rstrip("."): ast.parse(path.read_text())
        for path, parts in paths.items()
    }


def read_imports() -> Graph:
    """Return who imports whom, lazy and type-only imports included."""
    trees = read_modules()
    return {name: _imported(tree, trees.keys()) - {name, ""} for name, tree in trees.items()}


def _imported(tree: ast.Module, known: Collection[str]) -> set[str]:
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {
        n.removeprefix("ste_plugin").lstrip(".") for n in imported if n.startswith("ste_plugin")
    }
    # what is imported from a module is no module itself
    return {name if name in known else name.rpartition(".")[0] for name in ours}


def layer_of(module: str) -> int | None:
    """Return the place of a module, or of the nearest package around it, in `LAYERS`."""
    places = {name: place for place, layer in enumerate(LAYERS) for name in layer}
    while module and module not in places:
        module = module.rpartition(".")[0]
    return places.get(module)


def circles(graph: Graph) -> list[set[str]]:
    """Return the groups of modules that import each other, directly or by way of others."""
    reached = {name: _reachable(graph, name) for name in graph}
    groups = {
        frozenset({name} | {m for m in reached[name] if name in reached[m]})
        for name in graph
        if name in reached[name]
    }
    return [set(group) for group in groups]


def _reachable(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(graph[start])
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += graph.get(name, ())
    return seen


def test_every_module_has_a_layer():
    graph = read_imports()
    packages = {"", "plugins"}  # they hold what lies in several layers
    assert len(graph) > 150
    assert {n for n in graph if layer_of(n) is None} == packages
    # what users import from the package itself is loaded when it is asked for
    assert {name: graph[name] for name in packages} == {"": {"judge", "cascade"}, "plugins": set()}


def test_every_name_in_a_layer_is_there():
    graph = read_imports()
    assert [name for layer in LAYERS for name in layer if name not in graph] == []


def test_a_module_imports_from_no_later_layer():
    upward = {
        f"{name} imports {imported}"
        for name, imports in read_imports().items()
        if name  # the package itself: `from ste_plugin import Judge`
        for imported in imports
        if (layer_of(name) or 0) < (layer_of(imported) or 0)
    }
    assert upward == set()


def test_no_modules_import_each_other_in_a_circle():
    assert circles(read_imports()) == []


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, [{"a", "b", "c"}]),
        ({"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"c"}}, [{"a", "b"}, {"c", "d"}]),
    ],
)
def test_a_circle_is_found_however_long_it_is(graph, expected):
    assert sorted(circles(graph), key=sorted) == expected


def test_imports_that_are_lazy_or_for_types_alone_count():
    code = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from ste_plugin.records import Drop\n"
        "def f():\n    from ste_plugin import errors\n    import ste_plugin.config\n"
    )
    modules = {"records", "errors", "config"}
    assert _imported(ast.parse(code), modules) == modules


@pytest.mark.parametrize(
    "statement",
    [
        "import ste_plugin",
        "from ste_plugin import Judge",
        "from ste_plugin.plugins.manager import plugin_manager; plugin_manager()",
    ],
)
def test_importing_and_loading_plugins_stays_light(statement):
    code = f"{statement}; import sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_help_of_the_command_stays_light():
    code = (
        "import sys; sys.argv = ['ste', '--help']\n"
        "from ste_plugin.cli import main\n"
        "try: main()\n"
        f"finally: print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("[]")
    assert "recipes" in done.stdout


def test_no_module_is_longer_than_300_lines():
    long = {
        p.name: n for p in PACKAGE.rglob("*.py") if (n := len(p.read_text().splitlines())) > 300
    }
    assert long == {}
