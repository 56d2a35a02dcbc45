"""What a judge was asked again, in a draw of its own, is forgotten with the first."""

from ste_plugin.storage.jsonl import read_rows
from tests.helpers.forgetting import forgotten
from tests.helpers.judged_runs import config_of, judges_trained, run


def prompts(path):
    return {row["key"].rpartition("-")[0] for _, row in read_rows(path)}


def test_the_second_draw_of_a_judge_is_forgotten_where_no_judgment_names_it(tiny_model, tmp_path):
    with judges_trained("says nothing", 0.9):
        run(config_of(tmp_path, tiny_model, iterations=2))
    files = [tmp_path / f"run/iter-0{n}/judging.completions.jsonl" for n in (1, 2)]
    before = [prompts(path) for path in files]
    assert not before[0] & before[1]  # the seed judged twice
    (tmp_path / "run/iter-02/judgments.jsonl").unlink()
    _, row = next(read_rows(tmp_path / "run/iter-01/judgments.jsonl"))
    pairs = {r["key"]: r for _, r in read_rows(tmp_path / "run/pool/pairs.jsonl")}
    forgotten(tmp_path / "run", key=pairs[row["pair_key"]]["instruction_key"])
    gone = [len(was - prompts(path)) for was, path in zip(before, files, strict=True)]
    assert gone[0] == gone[1] >= 2
