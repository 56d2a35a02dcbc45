"""Records with defaults, so that a test names only what it is about."""

from pathlib import Path

from ste_plugin.config import RunConfig
from ste_plugin.dataset.filters import drop_reason
from ste_plugin.engines import Place
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.judging.example import Example
from ste_plugin.records import ORDERS, Instruction, Judgment, ResponsePair, Verdict

HERE = Place(Path(), Path())
"""Where an engine finds everything by absolute paths."""

STRANGER = """
from ste_plugin.hookspecs import hookimpl
from ste_plugin.judging import JudgeFormat

@hookimpl
def ste_judge_formats():
    return {"terse": JudgeFormat("terse", "Which is better?", "[[", False, 4)}

@hookimpl
def ste_drop_judgment(judgment, pair):
    return "mentions cats" if "cat" in judgment.text else None
"""
"""A plugin: a judge format, and a reason to drop judgments."""


def instruction(key: str = "i0", text: str = "Name a fruit.", category: str = "") -> Instruction:
    return Instruction(key, text, "tests", category)


def pair(
    key: str = "p0",
    instruction_key: str = "i0",
    better: str = "An apple.",
    worse: str = "A spade.",
    strategy: str = "other-instruction",
) -> ResponsePair:
    return ResponsePair(key, instruction_key, "Name a fruit.", better, worse, strategy)


def judgment(
    pair_key: str = "p0",
    gold: Verdict = "A",
    verdict: Verdict | None = "A",
    sample_index: int = 0,
    text: str = "",
) -> Judgment:
    key = f"{pair_key}:{gold}:{sample_index}"
    return Judgment(
        key, pair_key, gold, sample_index, text or f"[[{verdict}]]", verdict, forced=False
    )


def kept(
    pairs: list[ResponsePair], judgments: list[Judgment], form: JudgeFormat, reason=drop_reason
) -> list[Example]:
    """The examples that judgments of these pairs make in both orders."""
    return [
        e for p in pairs for order in ORDERS if (e := _example(p, order, judgments, form, reason))
    ]


def _example(p, order, judgments, form, reason):
    mine = [j for j in judgments if (j.pair_key, j.gold) == (p.key, order)]
    usable = [
        j for j in sorted(mine, key=lambda j: j.sample_index) if j.verdict and not reason(j, p)
    ]
    correct, wrong = (next((j for j in usable if j.correct is it), None) for it in (True, False))
    return Example(p, order, form, correct, wrong) if correct else None


def one_example(**more) -> Example:
    """The example that one correct judgment makes."""
    (example,) = kept([pair()], [judgment(**more)], FORMATS["brief"])
    return example


def config_text(**more: str) -> str:
    """A minimal valid config as YAML, with further top-level lines."""
    settings = {
        "run": "run",
        "judge": "{model: some/judge}",
        "instructions": "[{path: instructions.jsonl}]",
        "training": "{recipe: sft-lora-8b}",
    } | more
    return "".join(f"{key}: {value}\n" for key, value in settings.items())


def config(folder: Path, **more: str) -> RunConfig:
    from ste_plugin.storage.config_file import read_config

    path = folder / "ste.yaml"
    path.write_text(config_text(**more))
    return read_config(path)
