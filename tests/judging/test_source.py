"""The version of a plugin's format: what of its code makes a new one, and what does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from ste_plugin.judging.builtin import FORMATS
from ste_plugin.plugins.loader import load_file

HOOKS = """\
import re
from dataclasses import dataclass

import beside
from ste_plugin.hookspecs import hookimpl
from ste_plugin.judging import JudgeFormat

MARK = re.compile(r"Winner: ([AB])")
LEAST = 40

def shorten(text):
    return text[:9]

@dataclass(frozen=True, slots=True)
class Mine(JudgeFormat):
    scale: int = 5

    def render(self, instruction, answer_a, answer_b):
        return super(Mine, self).render(instruction, shorten(answer_a), answer_b)

    def parse(self, text):
        found = MARK.search(beside.plain(text))
        return found and found[1]

@hookimpl
def ste_judge_formats():
    return {"mine": Mine("mine", "Which?", "Winner: ", True, 9)}

@hookimpl
def ste_drop_judgment(judgment):
    return "short" if len(judgment.text) < LEAST else None
"""
BESIDE = "def plain(text):\n    return text.strip()\n"


@pytest.fixture
def version(tmp_path, monkeypatch):
    """The version of the format of a `hooks.py` with one change in it or in what lies beside it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def made(old="", new="", beside=BESIDE):
        place = tmp_path / "hooks.py"
        assert old in HOOKS
        place.write_text(HOOKS.replace(old, new, 1) if old else HOOKS)
        (tmp_path / "beside.py").write_text(beside)
        sys.modules.pop("beside", None)
        return load_file(place).ste_judge_formats()["mine"].version

    yield made
    sys.modules.pop("beside", None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("shorten(answer_a)", "answer_a"),
        ("return found and found[1]", "return None"),
        ("text[:9]", "text[:8]"),
        ("Winner: ([AB])", "Best: ([AB])"),
        ("Which?", "Which one?"),
        ("True, 9)", "True, 9, 7)"),
        ("scale: int = 5", "scale: int = 6"),
    ],
)
def test_an_edit_of_what_a_format_does_makes_a_new_version(version, old, new):
    assert version(old, new) != version()


def test_an_edit_of_a_module_beside_the_plugin_that_it_uses_makes_a_new_version(version):
    assert version(beside=BESIDE.replace("strip", "lower")) != version()


@pytest.mark.parametrize(
    ("old", "new"),
    [("LEAST = 40", "LEAST = 50"), ("def shorten", "# for long ones\n\ndef shorten")],
)
def test_an_edit_of_another_hook_or_between_definitions_asks_nothing_anew(version, old, new):
    assert version(old, new) == version()


BODY = "    def parse(self, text):\n        return {}\n"
TWO = "def one(*_): return 'A'\ndef two(*_): return 'B'\n"
FIELD = "    fn: object = None\n"


@pytest.mark.parametrize(
    ("body", "around", "made", "changes"),
    [
        (BODY.format("T['x']"), "T = {}\nT['x'] = 'A'\n", "Fmt", ("'A'", "'B'")),
        (BODY.format("T[0]"), "T = []\nT.append('A')\n", "Fmt", ("'A'", "'B'")),
        (BODY.format("T['x']"), "T = {}\nfor k in 'x': T[k] = 'A'\n", "Fmt", ("'A'", "'B'")),
        ("    pass\n", TWO + "Fmt.parse = one\n", "Fmt", ("= one", "= two")),
        ("    pass\n", "class Kind(Fmt):\n    MARK = 'A'\n", "Kind", ("'A'", "'B'")),
        ("    @cache\n" + BODY.format("'A'"), "", "Fmt", ("'A'", "'B'")),
        ("    @deco\n" + BODY.format("'A'"), "", "Fmt", ("'A'", "'B'")),
        (FIELD, TWO, "partial(Fmt, fn=partial(one))", ("return 'A'", "return 'C'")),
        (FIELD, TWO, "partial(Fmt, fn={'x': one})", ("return 'A'", "return 'C'")),
        (FIELD, "", "partial(Fmt, fn=re.compile('a' * 300 + '1'))", ("'1'", "'2'")),
        (FIELD, "class Q:\n  def f(self): return 1\n", "partial(Fmt, fn=Q().f)", ("n 1", "n 2")),
    ],
)
def test_whatever_changes_what_a_format_holds_makes_a_new_version(
    tmp_path, body, around, made, changes
):
    head = "import re\nfrom functools import cache, partial\nfrom dataclasses import dataclass\n"
    head += "from reprlib import recursive_repr\ndeco = recursive_repr()\n"
    head += "from ste_plugin.judging import JudgeFormat\n@dataclass(frozen=True)\n"
    text = f"{head}class Fmt(JudgeFormat):\n{body}{around}"
    text += f"def made():\n    return {made}\n"
    found = []
    for edited in (text, text.replace(*changes)):
        (tmp_path / "hooks.py").write_text(edited)
        kind = load_file(tmp_path / "hooks.py").made()
        found.append(kind("mine", "Which?", "Winner: ", True, 9).version)
    assert found[0] != found[1]


@pytest.mark.parametrize(
    ("imported", "used", "files"),
    [
        ("import helpful", "helpful.plain(text)", {"helpful.py": BESIDE}),
        ("", "__import__('helpful') and text", {"plug/helpful.py": BESIDE}),
        (
            "from helpful import plain",
            "plain(text)",
            {"plug/helpful.py": "from helpful_too import plain", "plug/helpful_too.py": BESIDE},
        ),
        ("from helpful import *", "plain(text)", {"plug/helpful.py": BESIDE}),
    ],
)
def test_modules_that_are_not_installed_are_a_part_wherever_they_are_and_whoever_imports_them(
    tmp_path, monkeypatch, imported, used, files
):
    lazily = "import helpful\n        " if not imported else ""
    body = f"    def parse(self, text):\n        {lazily}return {used}\n"
    head = f"{imported}\nfrom ste_plugin.judging import JudgeFormat\n"
    versions = []
    for text in (BESIDE, BESIDE.replace("strip", "lower")):
        root = tmp_path / str(len(versions))
        (root / "plug").mkdir(parents=True)
        for name, content in files.items():
            (root / name).write_text(text if content == BESIDE else content)
        (root / "plug/hooks.py").write_text(f"{head}class Fmt(JudgeFormat):\n{body}")
        for name in ("helpful", "helpful_too"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(root))
            patch.syspath_prepend(str(root / "plug"))
            made = load_file(root / "plug/hooks.py").Fmt("mine", "Which?", "Winner: ", True, 9)
            versions.append(made.version)
    assert versions[0] != versions[1]


def test_a_version_is_the_same_in_another_process(version, tmp_path):
    here = version()
    program = (
        "import sys; from pathlib import Path; from ste_plugin.plugins.loader import load_file;"
        "sys.path.insert(0, sys.argv[1]);"
        "hooks = load_file(Path(sys.argv[1]) / 'hooks.py');"
        "print(hooks.ste_judge_formats()['mine'].version)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.stdout.strip() == here, told.stderr


def test_a_format_without_source_has_a_version_of_its_words(tmp_path):
    names: dict[str, object] = {"__name__": "frozen"}
    text = HOOKS.replace("import beside\n", "").replace("beside.plain(text)", "text")
    text = text.replace("@dataclass(frozen=True, slots=True)\n", "@dataclass(frozen=True)\n")
    exec(compile(text, str(tmp_path / "no such file.py"), "exec"), names)
    (mine,) = names["ste_judge_formats"]().values()  # type: ignore[operator]
    assert mine.version.startswith("mine-")


def test_a_plain_format_and_those_that_ship_have_versions_of_their_words_alone():
    assert [f.version for f in FORMATS.values()] == [
        "criteria-e6b3462f",
        "plan-6229ad46",
        "brief-7a1c1ebd",
        "verdict-d8e418b5",
        "rating-d19cb99c",
        "decision-23c7060a",
    ]


def test_what_is_installed_beside_a_plugin_is_no_part_of_it(tmp_path, monkeypatch):
    place = tmp_path / "site-packages"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    (place / "hooks.py").write_text(HOOKS)
    found = []
    for text in (BESIDE, BESIDE.replace("strip", "lower")):
        (place / "beside.py").write_text(text)
        monkeypatch.delitem(sys.modules, "beside", raising=False)
        found.append(load_file(place / "hooks.py").ste_judge_formats()["mine"].version)
    assert found[0] == found[1]


def test_a_class_within_a_function_is_known_by_its_file(tmp_path):
    def made(body):
        place = Path(tmp_path / "nested.py")
        place.write_text(
            "from ste_plugin.judging import JudgeFormat\n"
            "def make():\n"
            "    class Mine(JudgeFormat):\n"
            f"        def parse(self, text):\n            return {body}\n"
            "    return Mine('mine', 'Which?', '[[', True, 9)\n"
        )
        return load_file(place).make().version

    assert made("None") != made("'A'")
