"""The audit of contamination: what a finished run's training instructions repeat."""

from dataclasses import replace
from pathlib import Path

from ste_plugin.audit.contamination import check_contamination
from ste_plugin.audit.finding import Finding
from ste_plugin.audit.run_audit import audit_run
from ste_plugin.config import RunConfig
from ste_plugin.pairs.pool import prepare_pool
from ste_plugin.pairs.pool_files import split_of
from ste_plugin.records import Instruction
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.config_file import read_config
from ste_plugin.storage.jsonl import iter_records
from tests.helpers.contaminated import (
    AFTER,
    TEMPLATE,
    clean,
    question,
    write_instructions,
    write_pairs,
)
from tests.helpers.fake_runs import written

MINE = {"pairs": {"people": "people.jsonl"}}


def run_on(
    folder: Path, tiny_model: Path, texts: list[str], template: str = "{}", **more: object
) -> Path:
    path = written(folder, tiny_model, **more)
    write_pairs(folder / "people.jsonl", 40, template)
    write_instructions(folder / "instructions.jsonl", texts)
    with open_run(path, [], quiet=True) as context:
        prepare_pool(context)
    return path


def audited(path: Path, evaluation: dict | None = None) -> dict[tuple[str, str], Finding]:
    """(Name, subject) → finding, where the config now measures on these."""
    with open_run(path, [], quiet=True) as context:
        if evaluation:
            config = RunConfig.model_validate(
                context.config.model_dump(mode="json") | {"evaluation": evaluation}
            )
            context = replace(context, config=config)
        return {(f.name, f.subject): f for f in check_contamination(context, 0)}


def trained_on(path: Path) -> list[str]:
    pool, config = path.parent / "run" / "pool", read_config(path)
    every = iter_records(pool / "instructions.jsonl", Instruction)
    return [i.text for i in every if split_of(i.key, config) == "train"]


def test_a_run_that_kept_out_what_it_measures_on_passes_and_tells_what_it_left_out(
    tmp_path: Path, tiny_model: Path
):
    texts = clean(40) + [question(n) for n in range(4)]
    path = run_on(tmp_path, tiny_model, texts, evaluation=MINE)
    finding = audited(path)["repeated prompts", "people"]
    assert (finding.figure, finding.threshold, finding.failed) == (0.0, 0.0, False)
    assert finding.n == len(trained_on(path))
    assert finding.words.endswith(
        "training instructions repeat one of 40 prompts. 4 were left out before anything was "
        "generated."
    )


def test_a_benchmark_that_was_added_afterwards_is_found_with_its_figure(
    tmp_path: Path, tiny_model: Path
):
    path = run_on(tmp_path, tiny_model, clean(40) + [question(n) for n in range(10)])
    repeated = set(trained_on(path)) & {question(n) for n in range(10)}
    finding = audited(path, MINE)["repeated prompts", "people"]
    assert repeated
    assert (finding.figure, finding.failed) == (float(len(repeated)), True)
    assert finding.words.startswith(
        f"{len(repeated)} of {len(trained_on(path))} training instructions repeat one of 40 "
        f"prompts (exact {len(repeated)}), as “if the "
    )
    assert "ste run CONFIG --from pool" in finding.cure


def test_a_template_of_benchmark_and_instructions_is_told_and_no_repetition(
    tmp_path: Path, tiny_model: Path
):
    texts = [TEMPLATE.format(text) for text in clean(40)]
    findings = audited(run_on(tmp_path, tiny_model, texts, TEMPLATE, evaluation=MINE))
    assert not any(f.failed for f in findings.values())
    words = findings["repeated prompts", "people"].words
    assert " Not counted, as 40 of its prompts share them: " in words


def test_what_the_config_lets_stay_is_told_and_breaks_no_threshold(
    tmp_path: Path, tiny_model: Path
):
    texts = clean(40) + [question(n) for n in range(10)]
    selection = {"selectors": [], "keep_out_by": []}
    path = run_on(tmp_path, tiny_model, texts, selection=selection, evaluation=MINE)
    findings = audited(path)
    assert not any(f.failed for f in findings.values())
    assert findings["repeated prompts", "people"].threshold is None
    assert "told, not dropped" in findings["shared words", "people"].words


def test_training_instructions_that_repeat_held_out_ones_are_found(
    tmp_path: Path, tiny_model: Path
):
    twins = [text + AFTER.replace(" Please take your", " One") for text in clean(40)]
    path = run_on(tmp_path, tiny_model, clean(40) + twins)
    findings = audited(path)
    test_pairs = findings["repeated prompts", "the run's own test pairs"]
    assert test_pairs.failed
    assert "near-duplicate" in test_pairs.words
    assert "selection.selectors" in test_pairs.cure


def test_held_out_instructions_are_clean_where_near_duplicates_are_dropped(
    tmp_path: Path, tiny_model: Path
):
    twins = [text + " One time." for text in clean(40)]
    selection = {"selectors": ["near-duplicates"]}
    findings = audited(run_on(tmp_path, tiny_model, clean(40) + twins, selection=selection))
    assert {f.figure for f in findings.values()} == {0.0}


def test_a_benchmark_that_cannot_be_read_is_undecided(tmp_path: Path, tiny_model: Path):
    path = run_on(tmp_path, tiny_model, clean(40))
    finding = audited(path, {"tasks": ["ste_judgebench"]})["repeated prompts", "ste_judgebench"]
    assert finding.undecided
    assert not finding.failed
    assert "could not be read" in finding.words


def test_a_run_without_a_pool_is_not_examined(tmp_path: Path, tiny_model: Path):
    path = written(tmp_path, tiny_model)
    with open_run(path, [], quiet=True) as context:
        (finding,) = audit_run(context, 0, ["contamination"])
    assert finding.undecided
    assert "no pool there" in finding.words
