"""The shape of the package: who may import whom, and what stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ste_plugin"

RECORDS = {"errors", "foreign", "plain", "records", "redaction", "safe_yaml", "valid_settings"}
SEAM = RECORDS | {"config", "engines"}
RUN = SEAM | {"session", "store", "plugins"}
MAY_IMPORT = {
    "errors": set(),
    "plain": set(),
    "redaction": set(),
    "foreign": set(),
    "safe_yaml": {"errors", "foreign"},
    "valid_settings": {"errors"},
    "records": {"errors"},
    "config": {"errors"},
    "config_file": {"config", "errors", "redaction", "safe_yaml", "valid_settings"},
    "durable": {"errors"},
    "guard": set(),
    "store": RECORDS | {"durable"},
    "run_folder": set(),
    "watch": {"plain", "redaction", "store"},
    "log_words": set(),
    "engines": RECORDS | {"config", "log_words", "guard", "model_folder"},
    "judging": RECORDS | {"engines"},
    "sources": RECORDS | {"config", "hookspecs", "store"},
    "selection": SEAM | {"hookspecs", "judging"},
    "pairs": RECORDS | {"engines", "hookspecs"},
    "dataset": RECORDS | {"engines", "judging"},
    "rows": RECORDS | {"dataset", "engines", "hookspecs", "judging"},
    "manifest": RECORDS | {"store", "durable"},
    "completion": {"store", "errors"},
    "model_folder": {"errors"},
    "axolotl": SEAM | {"completion", "config_file", "judging", "lm_eval_tasks", "manifest", "model_folder", "plugins", "store", "durable"},
    "tokens": RECORDS | {"dataset", "engines", "rows"},
    "hookspecs": RECORDS | {"config", "dataset", "engines", "judging", "session"},
    "plugin_files": {"errors"},
    "plugins": {"builtin", "errors", "hookspecs", "plugin_files"},
    "builtin": {"hookspecs", "sources", "selection", "pairs", "judging", "dataset", "rows", "generate", "resources", "report", "session"},
    "resources": {"errors", "safe_yaml"},
    "session": SEAM | {"budget", "judging", "plugins", "run_folder", "watch"},
    "budget": set(),
    "sampling": set(),
    "completions": RECORDS | {"engines", "store", "durable"},
    "asking": RECORDS | {"budget", "completions", "engines", "watch"},
    "pair_file": RECORDS | {"store"},
    "drop_file": RECORDS | {"store"},
    "questions": RECORDS | {"sampling"},
    "pass_rates": RECORDS | {"questions", "sampling", "store"},
    "writing": RUN | {"asking", "completions", "hookspecs", "pairs", "selection"},
    "privacy": RECORDS | {"config", "store"},
    "forget": RUN | {"budget", "completion", "completions", "config_file", "hookspecs", "hosts", "lm_eval_tasks", "pairs", "pass_rates", "pool", "privacy", "report", "run_folder", "selection", "sources", "watch"},
    "pool": RUN | {"privacy", "completions", "selection", "sources", "writing", "pair_file", "pairs"},
    "overlap": RUN | {"completions", "harvest", "judgments", "pool", "questions", "sampling"},
    "judgments": SEAM | {"asking", "completions", "dataset", "judging", "questions", "sampling", "session"},
    "top_up": RECORDS | {"judgments", "questions", "sampling"},
    "training_rows": RUN | {"dataset", "hookspecs", "manifest", "questions"},
    "harvest": RUN | {"training_rows", "dataset", "drop_file", "judgments", "pass_rates", "pool", "questions", "sampling", "tokens", "top_up"},
    "generate": RUN | {"training_rows", "completions", "dataset", "drop_file", "harvest", "judgments", "manifest", "pass_rates", "pool", "questions", "rows"},
    "hosts": SEAM | {"axolotl", "completion", "dataset", "lm_eval_tasks", "log_words", "manifest", "model_folder", "resources", "rows", "store", "judging", "plugins", "durable", "guard"},
    "model_shape": {"errors"},
    "memory": {"model_shape"},
    "recipe_fit": {"errors", "hosts", "memory", "model_shape"},
    "recipe_book": {"errors", "hosts", "resources"},
    "lm_eval_tasks": RECORDS | {"config", "engines", "judging", "plugins", "sampling", "sources", "store"},
    "to_measure": RUN | {"hosts", "lm_eval_tasks", "pool", "resources"},
    "stages": RUN | {"completion", "hosts", "manifest", "pool", "recipe_book", "to_measure"},
    "loop": RUN | {"hosts", "overlap", "stages", "to_measure"},
    "compare": {"errors", "judges", "lm_eval_tasks"},
    "judges": {"errors", "lm_eval_tasks", "store"},
    "report": {"plain", "session", "store"},
    "status": {"config_file", "errors", "run_folder", "store"},
    "redo": {"errors", "run_folder", "durable"},
    "opening": RUN | {"budget", "completions", "config_file", "redo", "run_folder", "watch", "durable"},
    "doctor": {"config", "config_file", "errors", "hosts", "plugins", "recipe_book", "records"},
    "judge_once": {"config", "engines", "plugins", "session"},
    "starter": set(),
    "demo": {"durable", "errors"},
    "testing": RECORDS | {"engines", "plugin_files", "plugins"},
}  # fmt: skip
"""Module → what it may import of this package; `cli` may import everything, nothing imports it."""

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
)


def modules() -> set[str]:
    found = {p.stem for p in PACKAGE.glob("*.py")} | {
        p.parent.name for p in PACKAGE.glob("*/__init__.py")
    }
    return found - {"__init__", "__main__", "cli"}


def imports_of(module: str) -> set[str]:
    single = PACKAGE / f"{module}.py"
    files = [single] if single.exists() else sorted((PACKAGE / module).rglob("*.py"))
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "ste_plugin":
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ste_plugin."):
                found.add(node.module.split(".")[1])
    return found - {module, "__version__"}


def test_the_import_table_knows_every_module_and_no_other():
    assert modules() == set(MAY_IMPORT)


@pytest.mark.parametrize("module", sorted(MAY_IMPORT))
def test_a_module_imports_only_what_the_table_allows(module):
    assert imports_of(module) <= MAY_IMPORT[module]


@pytest.mark.parametrize(
    "statement", ["import ste_plugin", "import ste_plugin.plugins as p; p.plugin_manager()"]
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
