"""The shape of the tests: they lie as the package does, and share through `helpers` alone."""

import re
from pathlib import Path

from tests.helpers import ROOT

TESTS = ROOT / "tests"
FILES = {path.relative_to(TESTS): path.read_text() for path in TESTS.rglob("*.py")}
ACROSS = {"bad_input", "documents", "security", "study", "survival"}
"""Folders about what no single folder of the package answers for."""
OF_THE_WHOLE = {
    "test_architecture",
    "test_environment",
    "test_examples",
    "test_layout",
    "test_packaging",
}

IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+)?import\s+(\([^)]*\)|[^\n]*)", re.M)
"""Programs that tests keep in strings count too."""


def imported(text: str) -> set[str]:
    """Return the full names that a file imports."""
    return {
        f"{module}.{name}".lstrip(".")
        for module, names in IMPORT.findall(text)
        for name in re.findall(r"[\w.]+", names)
    }


def is_test(file: Path) -> bool:
    return file.name.startswith("test_")


def test_every_folder_of_tests_is_one_of_the_package():
    folders = {file.parent for file in FILES if is_test(file)}
    mirrored = {folder for folder in folders if folder.parts[:1] not in {(a,) for a in ACROSS}}
    assert len(mirrored) > 20
    assert {str(f) for f in mirrored if not (ROOT / "ste_plugin" / f).is_dir()} == set()


def test_beside_the_folders_lie_tests_of_the_whole_and_of_modules_at_the_root():
    beside = {file.stem for file in FILES if is_test(file) and file.parent == Path()}
    modules = {f"test_{path.stem}" for path in (ROOT / "ste_plugin").glob("*.py")}
    assert OF_THE_WHOLE < beside <= OF_THE_WHOLE | modules


def test_no_file_imports_from_a_test():
    tests = {file.stem for file in FILES if is_test(file)}
    wrong = {
        f"{file} imports {name}"
        for file, text in FILES.items()
        for name in imported(text)
        if tests & set(name.split("."))
    }
    assert wrong == set()


def test_what_several_folders_need_is_a_helper():
    wrong = {
        f"{file} imports {name}"
        for file, text in FILES.items()
        for name in imported(text)
        if name.startswith("tests.") and name.split(".")[1] not in {"helpers", file.parts[0]}
    }
    assert wrong == set()


def test_helpers_hold_no_tests():
    helpers = {file: text for file, text in FILES.items() if file.parts[0] == "helpers"}
    assert len(helpers) > 20
    assert {str(f) for f, text in helpers.items() if is_test(f) or "def test_" in text} == set()


def test_an_import_is_found_in_code_of_every_shape():
    code = (
        "import tests.a\nfrom tests.b import (\n    one,\n    two,\n)\n"
        "def f():\n    from tests.c import three as four\n"
        "PROGRAM = '''\nimport sys\nfrom tests.d import five\n'''\n"
    )
    assert imported(code) >= {"tests.a", "tests.b.two", "tests.c.three", "tests.d.five", "sys"}


def test_every_test_that_the_makefile_or_a_document_names_is_there():
    documents = [ROOT / "Makefile", *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    named = {
        path.rstrip(".")
        for document in documents
        for path in re.findall(r"\btests/[\w/.]+", document.read_text())
    }
    assert len(named) > 5
    assert {path for path in named if not (ROOT / path).exists()} == set()
