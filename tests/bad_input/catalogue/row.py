"""A bad input: what lies in the folder, the command, and all that it answers."""

import gzip
import io
import json
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from ste_plugin.config import RunConfig
from tests.helpers.builders import config_text

TO_FIX = "ste.yaml: 1 setting(s) to fix:\n  "
"""How the message about one wrong setting begins."""


class _Tiny:
    """Stands for a folder with the tests' tiny model."""


TINY = _Tiny()
Files = dict[str, str | bytes | _Tiny | None]
"""Path → content, in the order in which it is written; None is an empty folder."""


@dataclass(frozen=True)
class Row:
    """One mistake.

    In messages `{tmp}` stands for the folder, `{recipes}` for ours, and `{host}` for another
    library's words.
    """

    name: str
    files: Files
    command: str
    exit_code: int
    message: str
    """The last that is printed, from behind `ste: ` to its end."""
    env: dict[str, str] = field(default_factory=dict)
    apart: bool = False
    """Run in a process of its own rather than in the test's."""

    @property
    def of_host(self) -> bool:
        """Whether another program tells our error, under a traceback of its own."""
        return not self.command.startswith("ste ")

    @property
    def expected(self) -> str:
        """A regular expression for the message."""
        return re.escape(self.message).replace(re.escape("{host}"), ".*")


def run_with(**more: str) -> Files:
    """A config that is right but for these top-level lines, and its instructions."""
    settings = {"judge": "{model: some/judge, engine: local}"} | more
    return {
        "ste.yaml": config_text(**settings),
        "instructions.jsonl": lines({"instruction": "Name a fruit."}),
    }


def started(**more: str) -> Files:
    """A run's folder as a run with these settings left it."""
    config = RunConfig.model_validate(yaml.safe_load(run_with(**more)["ste.yaml"]))
    return {
        "run/run.yaml": yaml.safe_dump({"config": config.model_dump(mode="json")}),
        "run/run.lock": "",
    }


def served(**options: Any) -> str:
    """A judge behind HTTP."""
    return f"{{model: m, engine: http, options: {json.dumps(options)}}}"


def lines(*rows: Any) -> str:
    """JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def parquet(*rows: dict[str, Any]) -> bytes:
    """The content of a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), file)
    return file.getvalue()


def hooks(code: str) -> Files:
    """A plugin with one hook."""
    return {"hooks.py": f"from ste_plugin.hookspecs import hookimpl\n\n\n@hookimpl\n{code}\n"}


def gzipped(text: str) -> bytes:
    """The content of a .gz file."""
    return gzip.compress(text.encode(), mtime=0)
