"""The commands `ste formats`: what formats there are, what one asks, and whether a file is one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ste_plugin.cli.about import Json, Plugin
from ste_plugin.cli.app import app, say, show
from ste_plugin.errors import ConfigError

if TYPE_CHECKING:
    from ste_plugin.judging import JudgeFormat

formats_app = typer.Typer(help="How judges are asked and read.", no_args_is_help=True)
app.add_typer(formats_app, name="formats")

Format = Annotated[str, typer.Argument(help="A format's name, or the path of its YAML file.")]


@formats_app.command("list")
def formats_list(plugin: Plugin = None, as_json: Json = False) -> None:
    """List the judge formats by name, with whose they are and their version."""
    from ste_plugin.plugins.manager import contributions, plugin_manager

    found = contributions(plugin_manager(plugin or []), "ste_judge_formats")
    if as_json:
        told = [{"name": n, "plugin": p, "version": f.version} for n, (p, f) in found.items()]
        show(told)
        return
    width = max(map(len, found))
    for name, (owner, judge_format) in found.items():
        say(f"{name:<{width}}  {judge_format.version}  {owner}")


@formats_app.command("show")
def formats_show(name: Format, plugin: Plugin = None, as_json: Json = False) -> None:
    """Print what a format asks about a pair, and how it is to be answered."""
    judge_format = _find(name, plugin)
    shown = _shown(judge_format)
    if as_json:
        show(shown)
        return
    say(f"{shown['version']}: ends with {shown['wanted']}; {shown['max_new_tokens']} tokens")
    say(_turns(shown["prompts"][0]))


@formats_app.command("check")
def formats_check(
    file: Annotated[Path, typer.Argument(help="A format's YAML file.")],
    model: Annotated[
        str | None, typer.Option(help="Also check a forced letter by this model's tokenizer.")
    ] = None,
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Check a format's file: show a pair in both orders, and read its sample replies."""
    from ste_plugin.judging.written.check import check_written

    judge_format = _find(str(file.absolute()), plugin)
    problems, warnings = check_written(judge_format, model)
    shown = _shown(judge_format) | {"problems": problems, "warnings": warnings}
    if as_json:
        show(shown)
    else:
        for title, prompt in zip(
            ("as it is", "the other way round"), shown["prompts"], strict=True
        ):
            say(f"--- the pair {title} ---\n{_turns(prompt)}")
        say(f"--- {shown['version']} ---\nends with {shown['wanted']}")
        examples = getattr(getattr(judge_format, "file", None), "examples", ())
        say(f"{len(examples)} sample replies are read as they should be.")
        for warning in warnings:
            say(f"warning: {warning}")
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"{file}: {len(problems)} problem(s) to fix:\n{listed}")


def _find(name: str, plugin: list[Path] | None) -> "JudgeFormat":
    from ste_plugin.plugins.judge_formats import find_judge_format
    from ste_plugin.plugins.manager import plugin_manager

    return find_judge_format(plugin_manager(plugin or []), name, "ste formats")


def _shown(judge_format: "JudgeFormat") -> dict[str, Any]:
    from ste_plugin.judging.written.check import sample_prompts

    return {
        "name": judge_format.name,
        "version": judge_format.version,
        "wanted": judge_format.wanted,
        "max_new_tokens": judge_format.max_new_tokens,
        "prompts": [
            [{"role": turn.role, "content": turn.content} for turn in prompt]
            for prompt in sample_prompts(judge_format)
        ],
    }


def _turns(prompt: list[dict[str, str]]) -> str:
    return "\n\n".join(f"[{turn['role']}]\n{turn['content']}" for turn in prompt)
