"""The rows in the trainer are those of the data set, or nothing is trained."""

import time
from collections import Counter

import pytest
from datasets import Dataset, IterableDataset

from ste_plugin.axolotl.strategies import TRANSFORMS, row_tokens, template_of
from ste_plugin.axolotl.token_checks import check_tokens, trl_tokens
from ste_plugin.axolotl.trained_rows import COLUMNS, IGNORED, check_dataset, row_digests
from ste_plugin.errors import DataError
from ste_plugin.storage.dataset_manifest import read_manifest, row_format_of_rl
from tests.helpers.chat_templates import dated_tokenizer, on_day
from tests.helpers.manifests import written
from tests.helpers.tiny_model import tiny_tokenizer


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return read_manifest(written(tmp_path_factory.mktemp("rows"), train=3))


def trainers_rows(manifest, rl, tokenizer=None):
    """Rows as the trainer of `rl` has them, worked out by its own rules."""
    template = template_of(tokenizer or tiny_tokenizer(), manifest)
    rows = [row for _, row in manifest.rows(f"{row_format_of_rl(rl)}-train")]
    if rl is None:
        for asked, judgment in (row_tokens(template, row) for row in rows):
            masked = [IGNORED] * len(asked) + judgment
            yield {"input_ids": asked + judgment, "labels": masked, "length": len(masked)}
        return
    for row in rows:
        texts = TRANSFORMS[row_format_of_rl(rl)].texts(row, template)
        tokens = {
            name: trl_tokens(template, texts["prompt"], texts[name], rl)
            for name in ("chosen", "rejected", "completion")
            if name in texts
        }
        if rl == "grpo":
            yield {"prompt": texts["prompt"], "better_is": row["better_is"]}
        elif rl in ("orpo", "simpo"):
            prompt = tokens["chosen"][0]
            whole = {f"{n}_input_ids": prompt + learnt for n, (_, learnt) in tokens.items()}
            yield {"prompt_input_ids": prompt, **whole}
        else:
            learnt = {f"{name}_ids": behind for name, (_, behind) in tokens.items()}
            label = {"label": row["label"]} if rl == "kto" else {}
            yield {"prompt_ids": next(iter(tokens.values()))[0], **learnt, **label}


def expected(manifest, rl=None, tokenizer=None, **kwargs):
    digests: Counter = Counter()
    check_tokens(manifest, rl, tokenizer or tiny_tokenizer(), 4096, digests=digests, **kwargs)
    return digests


@pytest.mark.parametrize("rl", [None, "dpo", "ipo", "orpo", "simpo", "kto", "grpo"])
def test_our_rows_are_known_again_in_every_trainer(manifest, rl):
    rows = list(trainers_rows(manifest, rl))
    dataset = Dataset.from_list(rows[::-1])
    found = check_dataset(dataset, expected(manifest, rl), manifest, rl, alone=True)
    assert found["rows"] == manifest.count(f"{row_format_of_rl(rl)}-train") > 0
    again = check_dataset(Dataset.from_list(rows), expected(manifest, rl), manifest, rl, alone=True)
    assert found["sha256"] == again["sha256"] is not None


def test_a_prompt_that_is_learnt_too_is_another_row(manifest):
    rows = [row | {"labels": row["input_ids"]} for row in trainers_rows(manifest, None)]
    whole = expected(manifest, learns_prompts=True)
    assert check_dataset(Dataset.from_list(rows), whole, manifest, None, alone=True)["rows"]
    with pytest.raises(DataError, match=r"6 of ours are missing, 6 are not ours"):
        check_dataset(Dataset.from_list(rows), expected(manifest), manifest, None, alone=True)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda rows: rows[1:], "the trainer has 5: 1 of ours are missing, 0 are not ours"),
        (lambda rows: [*rows, rows[0]], "has 7: 0 of ours are missing, 1 are not ours"),
        (
            lambda rows: [rows[0] | {"input_ids": [*rows[0]["input_ids"][:-1], 7]}, *rows[1:]],
            "the trainer has 6: 1 of ours are missing, 1 are not ours",
        ),
    ],
)
def test_rows_that_are_dropped_doubled_or_changed_are_told(manifest, edit, told):
    dataset = Dataset.from_list(edit(list(trainers_rows(manifest, None))))
    with pytest.raises(DataError) as found:
        check_dataset(dataset, expected(manifest), manifest, None, alone=True)
    assert told in str(found.value)
    assert "dataset_exact_deduplication" in str(found.value)


@pytest.mark.parametrize("alone", [True, False])
def test_rows_that_were_prepared_on_another_day_are_told_by_their_cause(
    manifest, monkeypatch, alone
):
    tokenizer = dated_tokenizer()
    on_day(monkeypatch, 1)
    prepared = Dataset.from_list(list(trainers_rows(manifest, None, tokenizer)))
    now = expected(manifest, tokenizer=tokenizer)
    assert check_dataset(prepared, now, manifest, None, alone=alone)["rows"] == 6
    on_day(monkeypatch, 2)
    with pytest.raises(DataError) as found:
        check_dataset(
            prepared, expected(manifest, tokenizer=tokenizer), manifest, None, alone=alone
        )
    assert str(found.value) == (
        f"{manifest.path}: it has 6 rows to train on, and the trainer has 6: 6 of ours are "
        "missing, 6 are not ours. So the chat template renders every row otherwise now than when "
        "axolotl prepared them, as one does that puts in today's date. Remove the folder "
        "dataset_prepared_path (axolotl's own: last_run_prepared) and train again; for one text "
        "on every day give the template its date, by judge.chat_template_kwargs in the run's "
        "config (Llama 3's: date_string). If that does not help, remove what changes rows "
        "(pretraining_dataset, streaming, dataset_exact_deduplication, excess_length_strategy, "
        "min_sample_len, shards)."
    )


def test_rows_of_the_users_own_may_stand_beside_ours_but_ours_must_be_there(manifest):
    rows = list(trainers_rows(manifest, None))
    own = {"input_ids": [1, 2], "labels": [1, 2], "length": 2}
    dataset = Dataset.from_list([own, *rows])
    assert check_dataset(dataset, expected(manifest), manifest, None, alone=False)["rows"] == 7
    with pytest.raises(DataError, match="1 of ours are missing"):
        check_dataset(
            Dataset.from_list([own, *rows[1:]]), expected(manifest), manifest, None, alone=False
        )


def test_a_stream_in_place_of_our_rows_is_refused(manifest):
    stream = IterableDataset.from_generator(lambda: iter([{"input_ids": [1]}]))
    with pytest.raises(DataError, match="its rows do not reach the trainer"):
        check_dataset(stream, expected(manifest), manifest, None, alone=True)
    assert check_dataset(stream, Counter(), manifest, None, alone=False)["rows"] is None


def test_rows_in_columns_that_we_do_not_know_are_counted(manifest):
    dataset = Dataset.from_list([{"tokens": [1]}] * 6)
    found = check_dataset(dataset, expected(manifest), manifest, None, alone=True)
    assert found == {"rows": 6, "sha256": None}
    with pytest.raises(DataError, match="the trainer has 5"):
        check_dataset(
            Dataset.from_list([{"tokens": [1]}] * 5),
            expected(manifest),
            manifest,
            None,
            alone=True,
        )


def test_many_rows_are_read_in_seconds():
    ids = list(range(1000))
    dataset = Dataset.from_dict({"input_ids": [ids] * 5000, "labels": [ids] * 5000})
    start = time.perf_counter()
    assert sum(1 for _ in row_digests(dataset, COLUMNS["sft"])) == 5000
    assert time.perf_counter() - start < 5
