"""Libraries that take seconds to import, and that every command would wait for."""

import ast
import sys
from collections.abc import Iterator, Sequence
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType

_SLOW = {
    *("torch", "transformers", "datasets", "vllm", "axolotl", "lm_eval", "trl", "peft"),
    *("sentence_transformers", "tensorflow", "jax"),
}


def slow_imports(module: ModuleType) -> list[str]:
    """Return a problem for each slow import at the top of a plugin's module, and of those of its
    package that this one imports there."""
    problems: list[str] = []
    seen: set[Path] = set()
    todo: list[ModuleType | None] = [module]
    while todo:
        found = todo.pop()
        path = Path(getattr(found, "__file__", None) or "")
        if found is None or path.suffix != ".py" or path in seen or not path.is_file():
            continue
        seen.add(path)
        own = found.__name__.partition(".")[0]
        for line, name in _imported(ast.parse(path.read_bytes()).body, found.__package__ or own):
            root = name.partition(".")[0]
            if root in _SLOW:
                problems.append(
                    f"{path}:{line}: imports {root} at its top, so that every `ste` command waits "
                    "for it. Import it inside the function that needs it."
                )
            elif root == own:
                todo.append(sys.modules.get(name))
    return list(dict.fromkeys(problems))


def _imported(body: Sequence[ast.stmt], package: str) -> Iterator[tuple[int, str]]:
    """Yield (line, module or name in it) for what is imported where a module is."""
    for node in body:
        match node:
            case ast.Import():
                yield from ((node.lineno, each.name) for each in node.names)
            case ast.ImportFrom():
                name = "." * node.level + (node.module or "")
                whole = resolve_name(name, package) if node.level else name
                yield node.lineno, whole
                yield from ((node.lineno, f"{whole}.{each.name}") for each in node.names)
            case ast.If() if "TYPE_CHECKING" not in ast.unparse(node.test):
                yield from _imported([*node.body, *node.orelse], package)
            case ast.Try():
                yield from _imported([*node.body, *node.orelse, *node.finalbody], package)
            case _:
                continue
