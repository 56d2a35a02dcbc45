"""The judging stage draws no more than it needs, and ends well when its budget does."""

from collections import Counter
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from ste_plugin.engines.base import UNUSABLE
from ste_plugin.errors import JudgeError
from ste_plugin.judging import TIE, JudgeFormat
from ste_plugin.records import Judgment
from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from ste_plugin.sampling.pass_rates import PassRate
from ste_plugin.storage.jsonl import read_json, read_records, read_rows
from tests.helpers import fake_judge
from tests.helpers.fake_runs import generated, rows_of, written
from tests.helpers.trained_runs import pass_iteration

FORMAT = {"format": "brief", "samples": 15}


def made(folder: Path, tiny_model: Path, judges: object = 0.75, **more: object) -> Path:
    folder.mkdir(exist_ok=True)
    judging = {**FORMAT, **more.pop("judging", {})}
    return written(folder, tiny_model, judges=judges, judging=judging, **more)


def rates(path: Path) -> list[PassRate]:
    return read_records(path.parent / "run/iter-01/pass_rates.jsonl", PassRate)


def test_stopping_early_keeps_the_very_rows_that_all_samples_give(tiny_model, tmp_path):
    kept, counts = [], []
    for rule in ("until_correct", "fixed"):
        judging = {"sampling": rule, "top_up": 0}
        path = made(tmp_path / rule, tiny_model, 0.6, judging=judging)
        counts.append(generated(path)["counts"])
        kept.append(rows_of(path, "sft-train"))
    assert kept[0] == kept[1] != []
    assert counts[0]["generated_tokens"] < counts[1]["generated_tokens"] / 3


def test_preferences_draw_until_a_right_and_a_wrong_judgment_are_there(tiny_model, tmp_path):
    path = made(tmp_path, tiny_model, training={"recipe": "dpo-lora-8b"})
    manifest = generated(path)
    assert manifest["settings"]["judging"]["sampling"] == "until_both"
    assert manifest["files"]["dpo-train"]["rows"] > 0.9 * manifest["counts"]["kept"]["train"]
    assert manifest["counts"]["judgments"] < 15 / 2 * len(rates(path))


def test_a_decided_majority_that_is_wrong_keeps_no_lucky_judgment(tiny_model, tmp_path):
    path = made(tmp_path, tiny_model, 0.5, judging={"sampling": "until_decided"})
    manifest = generated(path)
    assert manifest["drops"]["dataset: the majority was not right"] > 5
    assert manifest["counts"]["judgments"] < 15 * len(rates(path))


def test_a_tie_that_a_format_reads_teaches_nothing(tiny_model, tmp_path, monkeypatch):
    parse = JudgeFormat.parse

    def every_other(self, text):
        return TIE if len(text) % 2 else parse(self, text)

    monkeypatch.setattr(JudgeFormat, "parse", every_other)
    path = made(tmp_path, tiny_model)
    assert generated(path)["drops"]["judging: no verdict"] > 5
    judgments = read_records(path.parent / "run/iter-01/judgments.jsonl", Judgment)
    for odd, verdicts in ((0, {"A", "B"}), (1, {None})):
        assert {j.verdict for j in judgments if len(j.text) % 2 == odd} == verdicts


def test_the_mean_pass_rate_is_near_the_judges_accuracy_though_sampling_stopped(
    tiny_model, tmp_path
):
    path = made(tmp_path, tiny_model, 0.75, texts=120)
    rate = generated(path)["counts"]["pass_rate"]
    shares = [r.correct / r.samples for r in rates(path)]
    assert sum(shares) / len(shares) > 0.82  # what stopping at a correct sample makes of 0.75
    assert abs(rate["mean"] - 0.75) < 4 * rate["se"] < 0.15


def test_every_pair_and_order_has_its_pass_rate_with_an_interval(tiny_model, tmp_path):
    path = made(tmp_path, tiny_model)
    counts = generated(path)["counts"]
    found = rates(path)
    assert len(found) == 2 * (counts["pairs"]["train"] + counts["pairs"]["dev"])
    assert sum(r.samples for r in found) == counts["judgments"]
    assert all(r.low <= r.correct / r.samples <= r.high for r in found)


def test_the_letter_that_runs_short_is_topped_up_instead_of_the_other_thrown_away(
    tiny_model, tmp_path
):
    counts = {}
    for further in (0, 15):
        judging = {"samples": 2, "top_up": further}
        path = made(tmp_path / str(further), tiny_model, "sees A", judging=judging)
        counts[further] = generated(path)["counts"]
    assert counts[0]["topped_up"] == 0 < counts[15]["topped_up"]
    assert counts[15]["kept"]["train"] > 1.5 * counts[0]["kept"]["train"]
    letters = counts[15]["letters"]["train"]
    assert letters["A"] == letters["B"]


def test_topping_up_ends_where_a_letter_never_comes(tiny_model, tmp_path):
    path = made(tmp_path, tiny_model, "always A", judging={"samples": 2, "top_up": 3})
    with pytest.raises(JudgeError, match="surplus of one letter"):
        generated(path)
    per_question = Counter(
        row["key"].rpartition("-")[0]
        for _, row in read_rows(path.parent / "run/iter-01/judging.completions.jsonl")
    )
    assert set(per_question.values()) == {1, 5}


def test_a_run_ends_its_sampling_with_its_tokens_and_trains_on_what_it_has(tiny_model, tmp_path):
    full = generated(made(tmp_path / "full", tiny_model, 0.5))["counts"]
    tokens = sum(
        row["completion_tokens"]
        for file in (tmp_path / "full/run").rglob("*.completions.jsonl")
        for _, row in read_rows(file)
    )
    budget = {"max_tokens_total": tokens - full["generated_tokens"] // 2}
    counts = generated(made(tmp_path / "half", tiny_model, 0.5, budget=budget))["counts"]
    assert counts["ended_by_budget"] is True
    assert 0 < counts["kept"]["train"] < full["kept"]["train"]
    assert counts["generated_tokens"] < full["generated_tokens"] * 0.6


def test_a_budget_smaller_than_one_wave_says_so_where_nothing_can_be_kept(tiny_model, tmp_path):
    full = made(tmp_path / "full", tiny_model)
    generated(full)
    pool = sum(
        row["completion_tokens"]
        for _, row in read_rows(tmp_path / "full/run/pool/pairs.completions.jsonl")
    )
    path = made(tmp_path / "small", tiny_model, budget={"max_tokens_total": pool + 1})
    with pytest.raises(JudgeError, match="budget ended sampling(.|\n)*max_tokens_total"):
        generated(path)


def test_what_a_budget_left_out_is_asked_for_once_it_is_raised(tiny_model, tmp_path):
    whole = made(tmp_path / "whole", tiny_model)
    generated(whole)
    path = made(tmp_path / "run", tiny_model, budget={"max_tokens_total": 400})
    with pytest.raises(Exception, match="budget"):
        generated(path)
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"budget": {}}))
    # The pool was finished with what there was; the judging goes on from there.
    assert generated(path)["counts"]["ended_by_budget"] is False


def test_pairs_that_the_last_iteration_always_got_right_can_be_skipped(tiny_model, tmp_path):
    path = made(tmp_path, tiny_model, 0.75, judging={"skip_always_right": True}, iterations=2)
    with open_run(path, [], quiet=True) as context:
        stages.generate(context, 1)
        pass_iteration(context, 1, tiny_model)
        manifest = read_json(stages.generate(context, 2))
    skipped = manifest["drops"]["judging: always right in the iteration before"]
    assert 0 < skipped < manifest["counts"]["pairs"]["train"]
    judged = {r.pair_key for r in read_records(tmp_path / "run/iter-02/pass_rates.jsonl", PassRate)}
    assert len(judged) == sum(manifest["counts"]["pairs"][s] for s in ("train", "dev")) - skipped


def test_pairs_can_be_weighed_by_how_often_the_judge_is_right(tiny_model, tmp_path):
    sampling = {"sampling": "fixed"}
    dataset = {"dev_fraction": 0.2, "test_fraction": 0.2}
    plain = generated(made(tmp_path / "plain", tiny_model, 0.85, judging=sampling))["counts"]
    drop_easy_pairs = made(
        tmp_path / "weighed",
        tiny_model,
        0.85,
        judging=sampling,
        dataset={**dataset, "weigh_by_pass_rate": True},
    )
    found = generated(drop_easy_pairs)
    assert found["drops"]["dataset: weighed out: mostly right already"] > 0
    assert 0 < found["counts"]["kept"]["train"] < 0.6 * plain["kept"]["train"]
    assert found["counts"]["kept"]["dev"] == plain["kept"]["dev"]


class BreaksOff:
    """An engine that ends the first sample of every judgment so, though it states a verdict."""

    def __init__(self, engine, reason: str) -> None:
        self._engine, self._reason = engine, reason

    def complete(self, requests):
        for completion in self._engine.complete(requests):
            is_first = "[[" in completion.text and completion.key.endswith("-0")
            yield replace(completion, finish_reason=self._reason) if is_first else completion

    def close(self) -> None:
        self._engine.close()


@pytest.mark.parametrize("reason", UNUSABLE)
@pytest.mark.parametrize("force", [False, True])
def test_a_judgment_that_was_not_finished_is_dropped_and_counted_and_no_verdict_forced_upon_it(
    tiny_model, tmp_path, monkeypatch, reason, force
):
    create = fake_judge.create
    monkeypatch.setattr(fake_judge, "create", lambda *args: BreaksOff(create(*args), reason))
    judging = {"sampling": "fixed", "samples": 2, "top_up": 0, "force_verdict": force}
    manifest = generated(made(tmp_path, tiny_model, "well", judging=judging))
    sampled = manifest["counts"]["judgments"]
    assert manifest["drops"][f"judging: judgment {UNUSABLE[reason]}"] == sampled
    rows = read_rows(tmp_path / "run/iter-01/judging.completions.jsonl")
    assert sum(row["finish_reason"] == reason for _, row in rows) == sampled


@pytest.mark.parametrize("force", [False, True])
def test_a_verdict_that_the_token_limit_cut_off_behind_counts_only_where_one_is_forced_again(
    tiny_model, tmp_path, monkeypatch, force
):
    create = fake_judge.create
    monkeypatch.setattr(fake_judge, "create", lambda *args: BreaksOff(create(*args), "length"))
    judging = {"sampling": "fixed", "samples": 2, "top_up": 0, "force_verdict": force}
    path = made(tmp_path, tiny_model, "well", judging=judging)
    manifest = generated(path)
    judgments = read_records(tmp_path / "run/iter-01/judgments.jsonl", Judgment)
    dropped = manifest["drops"].get("judging: judgment cut off by the token limit", 0)
    assert dropped == (0 if force else manifest["counts"]["judgments"])
    assert {j.forced for j in judgments if j.sample_index == 0} == ({True} if force else set())


def test_a_prompt_that_the_judges_server_refuses_is_asked_once_and_counted(tiny_model, tmp_path):
    path = made(tmp_path, tiny_model)
    config = yaml.safe_load(path.read_text())
    config["judge"]["options"]["blocks"] = "Say number 7."
    path.write_text(yaml.safe_dump(config))
    drops = generated(path)["drops"]
    refused = [r for r in rates(path) if not r.correct and r.samples == 1]
    assert drops["judging: judgment blocked by the server's filter"] == len(refused) > 0
