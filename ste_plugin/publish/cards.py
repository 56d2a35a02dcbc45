"""The cards of a judge and of its data: YAML that hubs read, and text that people read."""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ste_plugin import __version__
from ste_plugin.context import RunContext
from ste_plugin.engines.base import Message
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.published import PublishedJudge
from ste_plugin.lm_eval_tasks.setting_values import PREFIX
from ste_plugin.publish import facts
from ste_plugin.publish.chosen import Chosen
from ste_plugin.publish.facts import Wishes
from ste_plugin.publish.markdown import fenced, section_blocks, table, told_blocks
from ste_plugin.publish.origins import better_by, data_origin, model_origin, pairs_told
from ste_plugin.publish.rows import PublishedRows
from ste_plugin.report.making_sections import making_sections
from ste_plugin.report.parts import Section
from ste_plugin.report.read_run import RunFigures
from ste_plugin.report.trust_sections import trust_sections
from ste_plugin.text.sanitize import escape_for_markdown

_HERE = Path(__file__).parent
_CUT = 160
"""Characters of a text in a row that is shown."""
_SLOTS = ("{the instruction}", "{answer A}", "{answer B}")
"""What stands for the texts of a pair where a prompt is shown."""
_RUBRIC = "{the rubric of the row's category}"


@dataclass(frozen=True, slots=True)
class Subject:
    """What cards are about."""

    run: RunFigures
    """For strangers."""
    context: RunContext
    chosen: Chosen
    wishes: Wishes
    base: str
    """Hub id of the seed; empty where it has none."""
    data: str
    """Name of the data set; empty where none is published."""

    @property
    def on_hub(self) -> bool:
        """Whether the names are those of a hub."""
        return "/" in self.wishes.name


def model_card(about: Subject, record: PublishedJudge, files: Iterable[str]) -> str:
    """Return the README.md of a judge."""
    run, number, wishes = about.run, about.chosen.number, about.wishes
    adapter = "adapter_config.json" in files
    figures = facts.figure_rows(run, number)
    results = facts.index_results(run, number, about.data)
    index = {"name": wishes.name.rpartition("/")[2], "results": results}
    metadata = {
        **({"base_model": about.base} if about.base else {}),
        **({"base_model_relation": "adapter" if adapter else "finetune"} if about.base else {}),
        **({"datasets": [about.data]} if about.data and about.on_hub else {}),
        "license": wishes.license,
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["llm-as-a-judge", "reward-model", "ste-plugin", "axolotl"],
        **({"model-index": [index]} if index["results"] else {}),
    }
    judge_format = about.context.judge_format
    heads = ["pairs", "n", "figure", "this judge", "the seed"]
    return _render(
        "model_card.md.j2",
        metadata,
        **_shared(about),
        name=wishes.name,
        adapter=adapter,
        base=about.base,
        record=record,
        origin=model_origin(run, number),
        finding=facts.finding_sentences(run, about.chosen),
        figures=table(heads, figures) if figures else "",
        measured_on=facts.sets_in_words(run, number),
        has_seed=facts.round_of(run, 0) is not None,
        audit=facts.audit_sentence(run, number),
        trust=list(_trust(run)),
        lm_eval=lm_eval_command(record, "judge" if about.on_hub else "model"),
        prompt=shown_prompt(judge_format),
        by_category=judge_format.by_category,
        columns=list(judge_format.columns),
        columns_given=_columns_given(judge_format),
        only_choices=judge_format.only_choices,
        wanted=judge_format.wanted,
        licence=wishes.license,
        unknown=facts.unknowns(run, number, _licences(about, wishes.license, "this model")),
        hashes=table(["file", "SHA-256"], record.sha256.items()),
    )


def data_card(about: Subject, rows: PublishedRows, taken_out: Mapping[str, int]) -> str:
    """Return the README.md of a data set; `taken_out`: kind → how many places were redacted."""
    wishes, splits = about.wishes, rows.splits()
    metadata = {
        "license": wishes.data_license,
        "task_categories": ["text-generation"],
        "tags": ["llm-as-a-judge", "preference-pairs", "synthetic", "ste-plugin"],
        "size_categories": [_size(sum(rows.counts[name] for name in rows.files))],
        "configs": [
            {
                "config_name": subset,
                "data_files": [{"split": s, "path": files} for s, files in by_split.items()],
            }
            for subset, by_split in splits.items()
        ],
    }
    licences = _licences(about, wishes.data_license, "this data set")
    return _render(
        "data_card.md.j2",
        metadata,
        **_shared(about),
        name=about.data,
        judge=wishes.name,
        version=__version__,
        origin=data_origin(about.run, about.chosen.number),
        better_by=better_by(about.run),
        files=table(["file", "rows"], [[name, rows.counts[name]] for name in rows.files]),
        examples=[(name, _shortened(rows.first[name])) for name in rows.files if "dev" not in name],
        configs=list(splits),
        has_test="pairs/test.jsonl" in rows.files,
        scrubbed=_scrubbed(about),
        taken_out=_taken_out(taken_out, sum(rows.forgotten.values())),
        licence=wishes.data_license,
        unknown=facts.unknowns(about.run, about.chosen.number, licences),
    )


def _render(template: str, metadata: Mapping[str, Any], **values: Any) -> str:
    """Return a card: its YAML, then its text; every value is shown as text, not obeyed."""
    environment = Environment(
        loader=FileSystemLoader(_HERE, encoding="utf-8"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(md=escape_for_markdown, fenced=fenced, code=_code)
    head = yaml.safe_dump(dict(metadata), sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{head}---\n\n{environment.get_template(template).render(**values)}"


def shown_prompt(judge_format: JudgeFormat) -> tuple[Message, ...]:
    """Return the prompt with what stands for texts, columns and the rubric of a row's category."""
    bound = judge_format
    if judge_format.by_category:
        bound = replace(judge_format, criteria={"default": ""}).with_words(_RUBRIC)
    row = {name: f"{{the column {name}}}" for name in judge_format.columns}
    return bound.for_row(row).render(*_SLOTS)


def _columns_given(judge_format: JudgeFormat) -> str:
    """Return the options of `ste judge` for what a format shows of a row beside the texts."""
    known = [*judge_format.criteria] if judge_format.by_category else [""]
    category = "default" if "default" in known else known[0]
    names = dict.fromkeys(judge_format.columns, "TEXT")
    names |= {"category": category} if category else {}
    return "".join(f" --column {shlex.quote(f'{n}={text}')}" for n, text in names.items())


def _code(text: str) -> str:
    """Return a text that can stand between backticks."""
    return " ".join(str(text).replace("`", "'").split())


def _shared(about: Subject) -> dict[str, Any]:
    """Return what both cards say of how it was made, what it cost, and of licences."""
    sections = {section.anchor: section for section in making_sections(about.run)}
    config = about.run.config
    rows = facts.source_rows(about.context.config, about.wishes)
    told = {
        "seed": about.base or facts.UNKNOWN,
        **pairs_told(about.run),
        "judged in the format": config.judging.format,
        "trained by the recipe": ", ".join(config.training.recipe),
        "started from": config.training.start_from,
    }
    return {
        "on_hub": about.on_hub,
        "get_judge": _download(about.wishes.name, "judge") if about.on_hub else "",
        "get_data": _download(about.data, "data", of_data=True) if about.on_hub else "",
        "warnings": facts.warnings_of(about.chosen),
        "made": table(["", ""], told.items()),
        "data": _blocks([sections["data"]], level=3),
        "costs": _blocks([sections["costs"]], level=2),
        "licences": table(["source", "reader", "licence"], rows),
    }


def _licences(about: Subject, own: str, what: str) -> list[tuple[str, str]]:
    rows = facts.source_rows(about.context.config, about.wishes)
    return [(what, own), *((f"the source {name}", licence) for name, _, licence in rows)]


def _blocks(sections: Iterable[Section], *, level: int) -> list[str]:
    return [block for section in sections for block in section_blocks(section, level=level)]


def _trust(run: RunFigures) -> Iterator[str]:
    """Yield what audit and gates found, and what people said; all figures are in the report."""
    for section in trust_sections(run):
        if section.anchor == "people":
            yield from section_blocks(section, level=3)
        else:
            yield f"### {section.title}"
            yield from told_blocks(section.parts)


def _download(name: str, folder: str, *, of_data: bool = False) -> str:
    """Return the command that gets what was published."""
    kind = "--repo-type dataset " if of_data else ""
    return f"hf download {name} {kind}--local-dir {folder}"


def lm_eval_command(record: PublishedJudge, folder: str) -> str:
    """Return the command by which plain lm-eval asks a judge as it was asked when measured."""
    judge_format = record.judge_format.asked_as(Path(folder))
    settings = {"data": "labelled.jsonl", **record.settings(), "format": judge_format}
    variables = " ".join(f"{PREFIX}{k.upper()}={_in_shell(v)}" for k, v in settings.items())
    return (
        f"{variables} lm_eval --model hf --model_args pretrained={folder} "
        '--include_path "$(ste tasks path)" --tasks ste_local --apply_chat_template'
    )


def _in_shell(value: Any) -> str:
    """Return a setting's value as a shell takes it."""
    return shlex.quote(value if isinstance(value, str) else json.dumps(value))


def _scrubbed(about: Subject) -> str:
    kinds = about.context.config.privacy.scrub
    if not kinds:
        return "The run scrubbed no personal data from its instructions (privacy.scrub is not set)."
    return (
        f"The run scrubbed {', '.join(kinds)} from its instructions; what of these kinds models "
        "wrote themselves was taken out of all texts here, too. That is a net, not a promise."
    )


def _taken_out(counts: Mapping[str, int], forgotten: int) -> str:
    told = ", ".join(f"{n:,} x {kind}" for kind, n in counts.items()) or "nothing"
    rows = f" {forgotten:,} rows of forgotten instructions were left out." if forgotten else ""
    return f"Replaced by placeholders when it was published: {told}.{rows}"


def _shortened(value: Any) -> str:
    """Return a row as JSON whose texts are cut."""

    def cut(inner: Any) -> Any:
        if isinstance(inner, str):
            return inner if len(inner) <= _CUT else f"{inner[:_CUT]}…"
        if isinstance(inner, dict):
            return {key: cut(each) for key, each in inner.items()}
        return [cut(each) for each in inner] if isinstance(inner, list) else inner

    return json.dumps(cut(value), indent=2, ensure_ascii=False)


def _size(rows: int) -> str:
    """Return the hub's word for how many rows there are."""
    steps = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M")]
    return next((word for most, word in steps if rows < most), "1M<n<10M")
