"""Plugins that do not fit."""

from tests.bad_input.catalogue.row import Row, hooks, run_with

LIST = "ste plugins --plugin hooks.py"

ROWS = [
    Row(
        "no plugin of that name",
        {},
        LIST,
        6,
        "hooks.py: no such file; expected a Python file (.py) with hooks. Correct the path.",
    ),
    Row(
        "a folder for a plugin",
        {"hooks.py": None},
        LIST,
        6,
        "hooks.py: a folder; expected a Python file (.py) with hooks. Correct the path.",
    ),
    Row(
        "a plugin that is no Python",
        {"hooks.py": "def hook(:\n"},
        LIST,
        6,
        "hooks.py: cannot be imported: line 1: invalid syntax. Fix the plugin (install what it "
        "needs), or leave it out.",
    ),
    Row(
        "a plugin that needs what is not installed",
        {"hooks.py": "import not_installed\n"},
        LIST,
        6,
        'hooks.py: cannot be imported: line 1: ModuleNotFoundError("No module named '
        "'not_installed'\"). Fix the plugin (install what it needs), or leave it out.",
    ),
    Row(
        "a plugin that ends the program",
        {"hooks.py": "raise SystemExit('no')\n"},
        LIST,
        6,
        "hooks.py: cannot be imported: line 1: SystemExit('no'). Fix the plugin (install what it"
        " needs), or leave it out.",
    ),
    Row(
        "a hook that is nearly right",
        hooks("def ste_judge_format(): return {}"),
        LIST,
        6,
        "hooks.py: no hook is called 'ste_judge_format'. Did you mean 'ste_judge_formats'? `ste "
        "plugins --hooks` lists them.",
        apart=True,
    ),
    Row(
        "a hook with an argument that there is not",
        hooks("def ste_drop_judgment(judgement): return None"),
        LIST,
        6,
        "hooks.py: ste_drop_judgment: found the argument 'judgement'; expected none but judgment,"
        " pair. Rename it, or leave it out.",
    ),
    Row(
        "a hook that returns a list",
        hooks("def ste_sources(): return ['mine']"),
        LIST,
        6,
        "hooks.py: ste_sources returned ['mine']; expected a dictionary {name: …}. Fix the "
        "plugin (install what it needs), or leave it out.",
    ),
    Row(
        "a hook that fails",
        hooks("def ste_sources(): return 1 / 0"),
        LIST,
        6,
        "hooks.py: ste_sources failed: ZeroDivisionError('division by zero'). Fix the plugin "
        "(install what it needs), or leave it out.",
    ),
    Row(
        "a name that is taken",
        hooks("def ste_sources(): return {'jsonl': print}"),
        LIST,
        6,
        "ste_sources: both 'builtin' and 'hooks.py' contribute 'jsonl'. Rename one of them.",
    ),
    Row(
        "a folder of recipes that is not there",
        hooks("def ste_recipe_dirs(): return 'gone'"),
        "ste recipes list --plugin hooks.py",
        6,
        "hooks.py: ste_recipe_dirs returned 'gone'; expected the Path of a folder that exists, "
        "such as Path(__file__).parent. Fix the plugin (install what it needs), or leave it out.",
    ),
    Row(
        "an engine that cannot be imported",
        run_with(judge="{model: m, engine: mine}")
        | hooks("def ste_engines(): return {'mine': 'nowhere:engine'}"),
        "ste generate ste.yaml --plugin hooks.py",
        6,
        "nowhere:engine: cannot be imported (No module named 'nowhere'). `ste doctor` says what "
        "to install.",
    ),
    Row(
        "a plugin that only the config names",
        run_with(plugins="[hooks.py]") | hooks("def ste_sources(): return {}"),
        "ste run ste.yaml",
        6,
        "ste.yaml lists plugins, which are Python code, and a plugin runs only if it is installed"
        " or named on the command line. If you trust them, add: --plugin {tmp}/hooks.py",
    ),
    Row(
        "a plugin without hooks",
        {"hooks.py": "def helper(): pass\n"},
        LIST,
        6,
        "hooks.py: no hook in it; expected functions marked with @hookimpl (from "
        "ste_plugin.hookspecs import hookimpl), named as `ste plugins --hooks` lists them.",
    ),
    Row(
        "a judge format that is none",
        run_with(judging="{format: mine}")
        | hooks("def ste_judge_formats(): return {'mine': 'Which is better?'}"),
        "ste generate ste.yaml --plugin hooks.py",
        6,
        "{tmp}/hooks.py: ste_judge_formats: 'mine' is 'Which is better?'; expected a JudgeFormat."
        " Fix the plugin (install what it needs), or leave it out.",
    ),
]
