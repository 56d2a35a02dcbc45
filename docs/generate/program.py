"""What the program itself says: commands, exit codes, records."""

import inspect
from collections.abc import Callable, Iterator
from typing import get_type_hints

import click
import typer

from docs.generate.markdown import code, sentence, table
from ste_plugin import errors
from ste_plugin.cli.stopping import SIGNALS
from ste_plugin.engines.base import Completion
from ste_plugin.instructions.selection.contamination import Overlap
from ste_plugin.records import Drop, Instruction, Judgment, Record, ResponsePair
from ste_plugin.review.labels import Label
from ste_plugin.review.sample import Drawn
from ste_plugin.sampling.pass_rates import PassRate
from ste_plugin.text.field_docs import field_docs

_NAMES = {
    "SIGINT": "Ctrl-C",
    "SIGTERM": "by the system or a scheduler",
    "SIGHUP": "its terminal was closed",
}


def commands() -> str:
    """Return a section for each command, with its arguments and options."""
    from ste_plugin.cli import entry_point  # each module that it imports adds its commands
    from ste_plugin.cli.axolotl_commands import ste_doctor, ste_run

    found = list(_commands(typer.main.get_command(entry_point.app), "ste"))
    found += [("axolotl ste-doctor", ste_doctor), ("axolotl ste-run", ste_run)]
    return "\n\n".join(_section(name, command) for name, command in sorted(found))


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for inner_name, inner in command.commands.items():
        yield from _commands(inner, f"{name} {inner_name}")


def _section(name: str, command: click.Command) -> str:
    arguments = [_usage(p) for p in command.params if p.param_type_name == "argument"]
    options = ["[OPTIONS]"] if len(arguments) < len(command.params) else []
    rows = [_row(p, _helps(command).get(p.name or "", "")) for p in command.params]
    parts = [f"## {name}", sentence(command.help or "")]
    parts.append(f"```text\n{' '.join([name, *arguments, *options])}\n```")
    return "\n\n".join(
        [*parts, *([table(("argument", "what it is", "default"), rows)] if rows else [])]
    )


def _helps(command: click.Command) -> dict[str, str]:
    """Return parameter → its help, as the function says it.

    Not from the parameters: with click 8.5, typer 0.25 loses the help of arguments.
    """
    hints = get_type_hints(inspect.unwrap(command.callback), include_extras=True)
    told = {name: getattr(hint, "__metadata__", ()) for name, hint in hints.items()}
    return {name: found[0].help or "" for name, found in told.items() if found}


def _usage(parameter: click.Parameter) -> str:
    name = parameter.human_readable_name.upper() + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _row(parameter: click.Parameter, told: str) -> tuple[str, str, str]:
    if parameter.param_type_name == "argument":
        return code(_usage(parameter).strip("[]")), told, _default(parameter)
    kind = parameter.type.name.split()[0].upper().replace("INTEGER", "NUMBER")
    value = "" if getattr(parameter, "is_flag", False) else f" {kind}"
    return code(parameter.opts[-1] + value), told, _default(parameter)


def _default(parameter: click.Parameter) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    return "" if value in (None, False, "", []) or callable(value) else code(str(value))


def exit_codes() -> str:
    """Return a table of what the command's exit status means."""
    found = [
        e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.SteError)
    ]
    rows = [("0", "Done.")]
    rows += [
        (str(e.exit_code), sentence(e.__doc__ or "")) for e in found if e is not errors.SteError
    ]
    rows.append(
        (
            "1",
            "Anything else: a mistake of ours, with a traceback; or `ste doctor` found a problem.",
        )
    )
    stopped = [(str(128 + s), f"Ended by {s.name}: {_NAMES.get(s.name, s.name)}.") for s in SIGNALS]
    return table(("status", "meaning"), sorted(rows + stopped, key=lambda row: int(row[0])))


_FILES = {
    "instructions.jsonl": Instruction,
    "pairs.jsonl": ResponsePair,
    "*.completions.jsonl": Completion,
    "judgments.jsonl": Judgment,
    "pass_rates.jsonl": PassRate,
    "drops.jsonl": Drop,
    "review/labels.jsonl": Label,
    "review/sample.jsonl": Drawn,
    "contamination.jsonl": Overlap,
}
"""File of a run → the record on each of its lines."""


def records() -> str:
    """Return a section for each kind of file, with the fields of its lines."""
    return "\n\n".join(
        f"### {code(file)}\n\n{sentence(record.__doc__ or '')}\n\n{_fields(record)}"
        for file, record in _FILES.items()
    )


def _fields(record: type[Record]) -> str:
    docs = field_docs(record)
    names = zip(record.__struct_encode_fields__, record.__struct_fields__, strict=True)
    return table(("field", "meaning"), [(code(on_disk), docs[n]) for on_disk, n in names])


BLOCKS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "exit-codes": exit_codes,
    "records": records,
}
