"""Public data sets load as they are published, and what lies beside their splits is left."""

import gzip
import json
import logging
import shutil
from collections import Counter

import pytest

from ste_plugin.errors import DataError
from ste_plugin.lm_eval_tasks.benchmarks import BENCHMARKS, files_of, read_pairs
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import REWARDBENCH2
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from tests.helpers.benchmark_rows import helpsteer2, judgebench, rmbench, written
from tests.helpers.published_sets import SETS, publish, put, rmbench_rows

ROWS = {
    "llmbar": 419,
    "judgebench": 620,
    "rmbench": 1327,
    "rewardbench": 2985,
    "rewardbench2": 1865,
    "helpsteer2": 1038,
    "mtbench_human": 3355,
}
READ = {
    "llmbar": 5,
    "judgebench": 2,
    "rmbench": 1,
    "rewardbench": 1,
    "rewardbench2": 1,
    "helpsteer2": 1,
    "mtbench_human": 1,
}
ALL = {**BENCHMARKS, "rewardbench2": REWARDBENCH2}


def read(data, name):
    return ALL[name].read(data)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Every data set, whole and as published, side by side as their repositories are called."""
    folder = tmp_path_factory.mktemp("published")
    for name in SETS:
        publish(folder / ALL[name].hub.rpartition("/")[2], name)
    return folder


@pytest.fixture
def logged(caplog):
    with caplog.at_level(logging.WARNING, logger="ste_plugin"):
        yield caplog


@pytest.mark.parametrize("name", SETS)
def test_a_published_folder_has_the_published_count_and_nothing_beside_it(sets, logged, name):
    pairs = read(sets, name)
    assert "published data set has" not in logged.text
    assert len(files_of(JudgeSettings(sets, benchmark=name))) == READ[name]
    assert ALL[name].rows == ROWS[name] and pairs
    assert "files read" in logged.text and "README.md" in logged.text


def test_the_pairs_of_each_published_folder_are_as_many_as_its_rows_say(sets):
    found = {name: len(read(sets, name)) for name in SETS}
    assert found == {
        "llmbar": 419,
        "judgebench": 619,  # one of two equal answers
        "rmbench": 9 * 1327,
        "rewardbench": 2985,
        "rewardbench2": 1865,
        "helpsteer2": 519,
        "mtbench_human": 1200,  # 3,355 votes on 30 questions, 20 models and two turns
    }


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("way", ["called as here", "the folder itself", "in another case"])
def test_it_does_not_matter_what_the_folder_around_it_is_called(tmp_path, name, way):
    repository = ALL[name].hub.rpartition("/")[2]
    called = {"called as here": name, "in another case": repository.upper()}.get(way, "anything")
    publish(tmp_path / called, name, each=2)
    data = tmp_path / called if way == "the folder itself" else tmp_path
    publish(tmp_path / "same" / name, name, each=2)
    assert read(data, name) == read(tmp_path / "same", name)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "helpsteer2",
            "helpsteer2: 1 files read, 8 left as they hold none of its splits: README.md, "
            "disagreements.jsonl.gz, preference.jsonl.gz, train.jsonl.gz, .DS_Store,",
        ),
        ("llmbar", "README.md, .DS_Store"),
        ("llmbar", "result.json (5 of them), statistics.json (5 of them)"),
        ("rewardbench", "1 files read, 6 left as they hold none of its splits: README.md, raw-0"),
    ],
)
def test_what_is_left_is_named(sets, logged, name, told):
    read(sets, name)
    assert told in logged.text


def test_peoples_votes_are_never_mixed_with_a_models(tmp_path):
    folder = publish(tmp_path / "mtbench_human", "mtbench_human", each=2) / "data"
    votes = sum(sum(pair.votes) for pair in read(tmp_path, "mtbench_human"))
    assert votes == 240
    (human,) = folder.glob("human-*")
    human.unlink()
    with pytest.raises(DataError, match=r"gpt4_pair-.* none of which holds what is judged"):
        read(tmp_path, "mtbench_human")


@pytest.mark.parametrize(
    ("name", "removed"), [("rewardbench", "filtered-*"), ("helpsteer2", "validation*")]
)
def test_raw_and_training_splits_do_not_stand_in_for_the_one_that_counts(tmp_path, name, removed):
    folder = publish(tmp_path / name, name, each=2)
    for path in folder.rglob(removed):
        path.unlink()
    with pytest.raises(DataError, match="none of which holds what is judged"):
        read(tmp_path, name)


@pytest.mark.parametrize("total", [True, False])
def test_rmbench_is_read_from_its_one_file_or_from_those_by_domain(tmp_path, total):
    publish(tmp_path / "rmbench", "rmbench", each=3, total=total)
    pairs = read(tmp_path, "rmbench")
    assert Counter(p.section for p in pairs) == {"Chat": 27, "Math": 27, "Code": 27, "Safety": 54}
    assert len(files_of(JudgeSettings(tmp_path, benchmark="rmbench"))) == (1 if total else 5)


def test_rmbench_may_be_one_object_whose_keys_are_the_domains(tmp_path):
    domains = ("chat", "code", "math", "safety-refuse", "safety-response")
    by_key = {domain: rmbench_rows(domain, 2) for domain in domains}
    put(tmp_path / "total_dataset.json", [row for rows in by_key.values() for row in rows])
    bare = {d: [{k: r[k] for k in r if k != "domain"} for r in rows] for d, rows in by_key.items()}
    put(tmp_path / "by_key.json", bare)
    one, other = (read(tmp_path / n, "rmbench") for n in ("total_dataset.json", "by_key.json"))
    assert one == other


def test_a_row_of_rmbench_under_the_key_of_another_domain_is_refused(tmp_path):
    put(tmp_path / "by_key.json", {"chat": rmbench_rows("math", 1)})
    with pytest.raises(DataError, match="#chat/0: 'domain' is str 'math'; expected 'chat'"):
        read(tmp_path / "by_key.json", "rmbench")


def test_a_row_that_nobody_can_fix_is_left_out_of_a_file_as_of_the_hub(tmp_path, logged):
    rows = judgebench()
    rows[4]["response_B"] = rows[4]["response_A"]
    path = written(tmp_path / "judgebench.jsonl", rows)
    assert len(read(path, "judgebench")) == len(rows) - 1
    assert f"1 rows left out, the first since {path}:5" in logged.text


def test_other_counts_are_told_by_part(tmp_path, logged):
    publish(tmp_path / "llmbar", "llmbar")
    shutil.rmtree(tmp_path / "llmbar/LLMBar/Natural")
    place = tmp_path / "llmbar/LLMBar/Adversarial/Manual/dataset.json"
    put(place, json.loads(place.read_text())[:40])
    assert len(read(tmp_path, "llmbar")) == 419 - 100 - 6
    assert "313 rows; the published data set has 419" in logged.text
    assert "Other counts: Natural 0 of 100, Manual 40 of 46." in logged.text


@pytest.mark.parametrize(
    "names",
    [
        ("validation.jsonl.gz", "validation.jsonl"),
        ("validation.jsonl.gz", "copy/validation.jsonl.gz"),
        ("validation-00000-of-00001.parquet", "validation.jsonl"),
        ("validation-00000-of-00001-1a2b.parquet", "validation-00000-of-00001-3c4d.parquet"),
    ],
)
def test_a_split_that_is_there_twice_is_refused_rather_than_counted_twice(tmp_path, names):
    for name in names:
        put(tmp_path / "helpsteer2" / name, helpsteer2())
    with pytest.raises(DataError, match="all of them hold validation, and only one is"):
        read(tmp_path, "helpsteer2")


@pytest.mark.parametrize(
    "name", ["validation-{:05}-of-00002.parquet", "default/validation/{:04}.parquet"]
)
def test_numbered_pieces_are_one_split(tmp_path, name):
    rows = helpsteer2()
    for i in range(2):
        put(tmp_path / "helpsteer2" / name.format(i), rows[4 * i :][:4])
    put(tmp_path / "one.jsonl", rows)
    assert read(tmp_path, "helpsteer2") == read(tmp_path / "one.jsonl", "helpsteer2")


def test_files_of_other_names_in_a_benchmarks_folder_are_all_read(tmp_path):
    rows = rmbench()
    for i, part in enumerate((rows[:2], rows[2:])):
        written_to = tmp_path / "rmbench" / f"mine-{i}.jsonl"
        put(written_to, part)
    assert len(read(tmp_path, "rmbench")) == 9 * len(rows)


def test_packed_rows_that_are_none_are_refused_with_their_place(tmp_path):
    path = tmp_path / "pairs.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": 1}\n{"id": \n', mtime=0))
    with pytest.raises(
        DataError, match=r"pairs.jsonl.gz:1: no column|pairs.jsonl.gz:2: not a JSON"
    ):
        read_pairs(JudgeSettings(path))
    path.write_bytes(gzip.compress(b"{}" * 99, mtime=0)[:-9])
    with pytest.raises(DataError, match=r"pairs.jsonl.gz: cannot be unpacked"):
        read_pairs(JudgeSettings(path))
    path.write_bytes(b"{}")
    with pytest.raises(DataError, match=r"pairs.jsonl.gz: cannot be unpacked"):
        read_pairs(JudgeSettings(path))
