"""The judge formats that the documentation shows, and judges that answer in them, right by
construction."""

import re
from pathlib import Path

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Place
from ste_plugin.testing import FakeEngine
from tests.helpers import ROOT
from tests.helpers.fake_judge import written_reply
from tests.helpers.scripted_judge import PAIRS

PAGE = (ROOT / "docs/how-to/judge-formats.md").read_text()
SHOWN = {
    text.split()[1].removesuffix(".yaml"): text
    for text in re.findall(r"```yaml\n(# \w+\.yaml\n.*?)```\n", PAGE, re.DOTALL)
}
"""Name → a file that the page shows."""
REPLIES = {
    "letters": {"A": "It answers. [[A]]", "B": "It answers. [[B]]", "tie": "Alike. [[C]]"},
    "result": {"A": "The first errs on nothing. [RESULT] A", "B": "So it is. [RESULT] B"},
    "scores": {"A": "9 2.5\nIt is right.", "B": "1 8\nIt is right.", "tie": "4 4\nAlike."},
    "scale": {"A": "By far. [[A>>B]]", "B": "A little. [[B>A]]", "tie": "[[A=B]]"},
    "object": {"A": '{"why": "It is.", "winner": "m"}', "B": '{"why": "No.", "winner": "M"}'},
}
"""Name → what a judge says in this format for the first answer, the second, neither."""
LABELLED = [pair | {"final_answer": "apple"} for pair in PAIRS]
"""Pairs of which one answer is an apple, and that is the better one."""


HOOKS = """
from ste_plugin.hookspecs import hookimpl

@hookimpl
def ste_engines():
    return {"speaking": "tests.helpers.documented_formats:create"}
"""
"""A run's hooks.py, for the engine `speaking`."""


def format_file(folder: Path, name: str) -> Path:
    """A file that the page shows, in a folder."""
    path = folder / f"{name}.yaml"
    path.write_text(SHOWN[name])
    return path


def create(model: ModelConfig, _: Place) -> FakeEngine:
    """An engine that writes answers, and judges them rightly in the format of its options."""
    said = REPLIES[model.options["speaks"]]

    def reply(request: ChatRequest) -> str:
        prompt = request.messages[-1].content
        if prompt.count("Reply to <") < 2:
            return written_reply(prompt)
        asked = re.search(r"Say number \d+\.", prompt)
        first = re.search(r"Reply to <.*", prompt)
        assert asked
        assert first
        return said["A" if asked[0] in first[0] else "B"]

    return FakeEngine(reply)
