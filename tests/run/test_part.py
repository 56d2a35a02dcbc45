"""Parts of a run's requests, each answered by a process of its own, and read as one."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from ste_plugin.errors import ConfigError, EngineError
from ste_plugin.forget import ForgetQuery, forget
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.run.open_run import lock_part, open_existing, open_run
from ste_plugin.run.part import answer_part, parse_part
from ste_plugin.storage.config_file import read_config
from ste_plugin.storage.jsonl import read_json, read_rows
from ste_plugin.storage.run_layout import RunLayout
from tests.helpers.chat_server import chat_server
from tests.helpers.chats import pool_of
from tests.helpers.said_runs import by_http, config_in, made, says

PARTS = 3


@pytest.fixture(scope="module")
def alone(tiny_model, tmp_path_factory):
    """What becomes of the run in one process, and how many calls that takes."""
    folder = tmp_path_factory.mktemp("alone")
    with chat_server(says, models=(str(tiny_model),)) as server:
        path = config_in(folder, tiny_model, server.base_url)
        by_http(path)
    return made(path), len(server.bodies)


@pytest.fixture
def served(tiny_model, tmp_path):
    """A run's config, and the server that it asks."""
    with chat_server(says, models=(str(tiny_model),)) as server:
        yield config_in(tmp_path, tiny_model, server.base_url), server


def answered(path, number, count=PARTS):
    return answer_part(path, [], parse_part(f"{number}/{count}"), quiet=True)


def all_parts(path, count=PARTS, most=30) -> int:
    """Answer part by part until nothing is left; return how often all parts were answered."""
    for wave in range(most):
        stages = [answered(path, n, count).stage for n in range(1, count + 1)]
        if not any(stages):
            return wave
    raise AssertionError("there is no end of waves")


def test_parts_make_what_one_process_makes_and_ask_nothing_twice(served, alone):
    path, server = served
    all_parts(path)
    asked = len(server.bodies)
    by_http(path)
    assert made(path) == alone[0]
    assert len(server.bodies) == asked == alone[1]


def test_a_part_draws_all_judgments_of_its_share_before_it_waits_for_others(served):
    path, server = served
    while answered(path, 1).stage != "judging":
        for number in range(2, PARTS + 1):
            answered(path, number)
    file = path.parent / "run/iter-01/judging.part-1-of-3.completions.jsonl"
    samples = [row["key"].rpartition("-")[2] for _, row in read_rows(file)]
    assert samples.count("0") > samples.count("1") > samples.count("3") > 0  # waves 1, 2, 4 …
    asked = len(server.bodies)
    assert answered(path, 1).completions == 0
    assert len(server.bodies) == asked


def test_parts_at_the_same_time_write_only_their_own_files(served, alone):
    path, _ = served
    numbers = range(1, PARTS + 1)
    with ThreadPoolExecutor(PARTS) as pool:
        while any(p.stage for p in list(pool.map(partial(answered, path), numbers))):
            pass
    root = path.parent / "run"
    names = {f.name for f in root.rglob("*") if f.is_file()}
    expected = {
        f"{s}.part-{n}-of-3.completions.jsonl" for s in ("pairs", "judging") for n in (1, 2, 3)
    }
    assert names == expected | {f"part-{n}-of-3.lock" for n in (1, 2, 3)} | {"run.lock"}
    by_http(path)
    assert made(path) == alone[0]


def test_a_part_sees_what_is_done_and_changes_nothing_of_it(served):
    path, _ = served
    root = path.parent / "run"
    all_parts(path)
    by_http(path)
    (root / "iter-01/dataset/manifest.json").unlink()  # as if it had been killed before its end
    (root / "iter-01/judging.part-1-of-3.completions.jsonl").unlink()
    before = {f: f.read_bytes() for f in root.rglob("*") if f.is_file()}
    (root / "iter-01/model").mkdir()
    (root / "iter-01/stage-02").mkdir()
    assert answered(path, 1).completions > 0
    new = root / "iter-01/judging.part-1-of-3.completions.jsonl"
    after = {f: f.read_bytes() for f in root.rglob("*") if f.is_file()}
    assert after.pop(new)
    assert after == before
    assert not [f for f in root.rglob("*") if f.is_symlink()]


def test_parts_complete_a_pool_that_the_budget_of_one_process_cut_short(served, alone):
    path, server = served
    unlimited = path.read_text()
    path.write_text(f"{unlimited}budget: {{max_tokens_total: 150}}\n")
    pool = pool_of(path)
    assert read_json(pool / "done.json")["ended_by_budget"]
    path.write_text(unlimited)
    all_parts(path)
    asked = len(server.bodies)
    by_http(path)
    assert made(path) == alone[0]
    assert len(server.bodies) == asked


def test_a_prompts_samples_are_all_in_one_part(served):
    path, _ = served
    all_parts(path)
    by_part = [
        {line.split(b'"')[3].rpartition(b"-")[0] for line in file.read_bytes().splitlines()}
        for file in (path.parent / "run").rglob("judging.part-*.completions.jsonl")
    ]
    assert len(by_part) == PARTS
    assert all(one.isdisjoint(other) for one in by_part for other in by_part if one is not other)


def test_other_numbers_of_parts_and_one_process_take_over(served, alone):
    path, server = served
    for number in (1, 2):
        answered(path, number)
    all_parts(path, count=2)
    by_http(path)
    assert made(path) == alone[0]
    assert len(server.bodies) == alone[1]


def test_a_part_that_was_killed_in_a_line_asks_for_that_alone_and_others_read_the_rest(
    served, alone
):
    path, server = served
    for number in range(1, PARTS + 1):
        answered(path, number)
    file = path.parent / "run/pool/pairs.part-2-of-3.completions.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    assert answered(path, 1).left == 1  # what another part writes is left as it is
    assert not file.read_bytes().endswith(b"\n")
    assert answered(path, 2).completions >= 1
    all_parts(path)
    by_http(path)
    assert made(path) == alone[0]
    assert len(server.bodies) == alone[1] + 1


def test_a_part_has_one_process_and_a_run_waits_for_its_parts(served):
    path, _ = served
    config = read_config(path)
    folder = RunLayout(path.parent / config.run)
    with lock_part(config, folder, parse_part("2/3")):
        with pytest.raises(ConfigError, match="another ste process works on this part of the run"):
            answered(path, 2)
        answered(path, 1)
        with (
            pytest.raises(ConfigError, match="works on part-2-of-3 of this run"),
            open_run(path, [], quiet=True),
        ):
            pass
    answered(path, 2)


def test_no_part_begins_while_the_run_goes_on(served, monkeypatch):
    path, server = served
    monkeypatch.setattr("ste_plugin.run.open_run.OTHER_PARTS_S", 0.1)
    with (
        open_run(path, [], quiet=True),
        pytest.raises(ConfigError, match="another ste process works on this run"),
    ):
        answered(path, 1)
    assert not server.bodies


def test_what_is_forgotten_goes_from_all_parts(served):
    path, _ = served
    all_parts(path)
    by_http(path)
    config = read_config(path)
    with open_existing(config, path.parent, []) as context:
        report = forget(context, ForgetQuery.read("number 7.", "", ""), dry=False)
    assert report.removed["completions"] > 2
    left = b"".join(f.read_bytes() for f in (path.parent / "run").rglob("*.jsonl"))
    assert b"number 7." not in left


def test_the_tokens_of_parts_count_once_in_a_budget_and_each_gets_its_share(served):
    path, server = served
    for number in (1, 2):
        answered(path, number)
    used = CompletionStore(path.parent / "run/pool/pairs.completions.jsonl").written_tokens
    with path.open("a") as file:
        file.write(f"budget: {{max_tokens_total: {used + 3}}}\n")
    asked = len(server.bodies)
    assert answered(path, 3).stopped
    assert len(server.bodies) < asked + 10
    with open_run(path, [], quiet=True) as context:
        now = CompletionStore(path.parent / "run/pool/pairs.completions.jsonl").written_tokens
        assert context.budget.used_up == (now >= used + 3)


def test_bad_first_answers_end_a_part_and_nothing_of_them_is_kept(tiny_model, tmp_path):
    with chat_server(lambda *_: "The very same reply to all.", models=(str(tiny_model),)) as server:
        path = config_in(tmp_path, tiny_model, server.base_url)
        with pytest.raises(EngineError, match="all got the very same reply"):
            answered(path, 1, count=2)
    assert not CompletionStore(path.parent / "run/pool/pairs.completions.jsonl", "1-of-2").size


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/2", ""])
def test_a_part_that_there_cannot_be_is_refused(text):
    with pytest.raises(ConfigError, match=r"--part: expected I/N with I from 1 to N"):
        parse_part(text)
