"""Configs and data sets with which the two orders of a pair would not meet in a batch."""

import pytest

from ste_plugin.axolotl.config_checks import config_problems
from ste_plugin.axolotl.decision_checks import check_pairs
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.storage.dataset_manifest import read_manifest
from tests.helpers.axolotl_runs import LORA, ON_A_CPU
from tests.helpers.manifests import written

CONFIG = {**ON_A_CPU, **LORA, "base_model": "m", "output_dir": "out"}


def problems(manifest, ste=(), **keys) -> list[str]:
    own = {"manifest": str(manifest), "decision": {}, **dict(ste)}
    return config_problems({**CONFIG, "ste": own, **keys})


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return written(tmp_path_factory.mktemp("fruit"), train=6)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"micro_batch_size": 1}, "micro_batch_size: found 1; expected an even number"),
        (
            {"micro_batch_size": 1, "gradient_accumulation_steps": 16},
            "Set micro_batch_size: 2, and gradient_accumulation_steps: 8 for the same step.",
        ),
        ({"eval_batch_size": 3}, "eval_batch_size: found 3"),
        ({"sample_packing": True}, "sample_packing: puts the two orders of a pair"),
        ({"group_by_length": True}, "group_by_length: draws rows by their length"),
        ({"train_on_inputs": True}, "train_on_inputs: learns prompts"),
        ({"rl": "dpo"}, "rl: is trained by rewards or preferences"),
        ({"accelerator_config": {"split_batches": True}}, "split_batches: cuts batches"),
        ({"ste": {"datasets": "append"}}, "Set ste.datasets: replace"),
        ({"ste": {"judge_by": "generation"}}, "ste.judge_by: generation reads no probabilities"),
    ],
)
def test_what_would_part_the_orders_of_a_pair_is_refused_with_the_cure(manifest, keys, told):
    found = problems(manifest, **keys)
    assert [problem for problem in found if told in problem], found


def test_an_even_batch_is_fine_and_without_the_block_any_is(manifest):
    assert problems(manifest, micro_batch_size=2) == []
    assert problems(manifest, {"decision": None}, micro_batch_size=1) == []


def test_a_wrong_weight_is_refused(manifest):
    (problem,) = problems(manifest, {"decision": {"brier": -1, "consistancy": 1}})
    assert "decision.brier: found -1; expected 0 or more" in problem
    assert "decision.consistancy: unknown key; did you mean 'consistency'?" in problem


def one_order(name, rows):
    return [row for row in rows if row["better_is"] == "A"] if name == "sft-train" else rows


def half(name, rows):
    return rows[1:] if name == "sft-train" else rows


def reasoned(name, rows):
    if name == "sft-train":
        rows[0]["messages"][-1]["content"] = "It is [[A]]"
    return rows


def test_pairs_of_one_order_alone_are_refused_with_numbers(tmp_path):
    found = read_manifest(written(tmp_path, train=6, edit=one_order))
    told = r"6 training rows of 6 pairs, none of them in both orders.*both_orders_only: true"
    with pytest.raises(DataError, match=told):
        check_pairs(found, FORMATS["verdict"])


def test_rows_without_their_other_order_are_counted(tmp_path):
    found = read_manifest(written(tmp_path, train=6, edit=half))
    assert check_pairs(found, FORMATS["verdict"]) == {"pairs": 5, "left_out": 1}


def test_a_reply_with_more_than_the_letter_is_refused(tmp_path):
    found = read_manifest(written(tmp_path, train=6, edit=reasoned))
    with pytest.raises(DataError, match=r"jsonl:1: found the reply 'It is \[\[A\]\]'; expected"):
        check_pairs(found, FORMATS["verdict"])


def test_a_data_set_with_reasons_is_refused(tmp_path):
    found = read_manifest(written(tmp_path, train=2, form="brief"))
    with pytest.raises(ConfigError, match="brief writes reasons"):
        check_pairs(found, FORMATS["brief"])
