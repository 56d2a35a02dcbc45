"""Generator and judge work at once where they share no machine, and nothing else becomes of it."""

from pathlib import Path
from time import sleep
from types import SimpleNamespace

import pytest

from ste_plugin.context import Iteration
from ste_plugin.errors import EngineError, JudgeError
from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from ste_plugin.run.prefetch import prepare_pool_with_prefetch
from ste_plugin.storage.jsonl import read_json, read_rows
from tests.helpers.chat_server import Refuse, chat_server
from tests.helpers.fake_judge import judgment, reply
from tests.helpers.fake_runs import written

TEXTS = 600


def generator(body, _):
    message = SimpleNamespace(content=body["messages"][-1]["content"])
    return reply(SimpleNamespace(messages=[message]), "well")


def judge(body, index):
    seed = (body["seed"] + index) * 2654435761 % 2**32 * 2**28
    request = SimpleNamespace(choices=(), seed=seed, sample_index=index)
    return judgment(body["messages"][-1]["content"], 0.7, request)


def run_config(folder, tiny_model, generates, judges):
    folder.mkdir()
    model = str(tiny_model)

    def http(server):
        options = {"base_url": server.base_url, "backoff_s": 0.001, "max_attempts": 2}
        return {"model": model, "engine": "http", "options": options}

    return written(
        folder,
        tiny_model,
        texts=TEXTS,
        judge=http(judges),
        generator=http(generates),
        judging={"format": "brief", "samples": 15},
    )


def generated(path, *, overlapped: bool) -> dict:
    with open_run(path, [], quiet=True) as context:
        if overlapped:
            prepare_pool_with_prefetch(Iteration(1, context, stages.find_judge(context, 0)))
        return read_json(stages.generate(context, 1))


def rows(folder) -> dict:
    files = sorted((folder / "run").rglob("*.jsonl"))
    made = [f for f in files if "completions" not in f.name and f.name != "events.jsonl"]
    return {str(f.relative_to(folder)): f.read_bytes() for f in made}


def test_pairs_are_judged_while_others_are_written_and_nothing_is_paid_twice(tiny_model, tmp_path):
    judged_before_the_end = []

    def writing(body, index):
        judged_before_the_end.append(len(judges.bodies))
        return generator(body, index)

    served = {"models": (str(tiny_model),)}
    found = []
    for overlapped in (True, False):
        with chat_server(writing, **served) as writes, chat_server(judge, **served) as judges:
            folder = tmp_path / str(overlapped)
            path = run_config(folder, tiny_model, writes, judges)
            manifest = generated(path, overlapped=overlapped)
            asked = sum(body.get("n", 1) for body in judges.bodies)
            found.append((manifest["counts"], rows(folder), asked, judged_before_the_end[-1]))
            judged_before_the_end.clear()
    (counts, made, asked, early), (plain_counts, plain, plainly_asked, none_early) = found
    assert early > 0 == none_early
    assert made == plain
    assert counts == plain_counts
    assert asked == plainly_asked == counts["judgments"]
    completions = tmp_path / "True/run/iter-01/judging.completions.jsonl"
    assert len({r["key"] for _, r in read_rows(completions)}) == asked


def test_a_judge_that_fails_meanwhile_ends_the_run_and_keeps_what_was_written(tiny_model, tmp_path):
    served = {"models": (str(tiny_model),)}
    refusing = chat_server(judge, models=("another",))
    with chat_server(generator, **served) as writes, refusing as judges:
        path = run_config(tmp_path / "run", tiny_model, writes, judges)
        with pytest.raises(EngineError, match="does not exist"):
            generated(path, overlapped=True)
    written_ = tmp_path / "run/run/pool/pairs.completions.jsonl"
    assert sum(1 for _ in read_rows(written_)) > TEXTS


def test_a_judge_without_answers_ends_the_run_before_the_pairs_of_all_are_paid_for(
    tiny_model, tmp_path
):
    served = {"models": (str(tiny_model),)}
    with chat_server(generator, **served) as writes, chat_server(lambda *_: "", **served) as judges:
        path = run_config(tmp_path / "run", tiny_model, writes, judges)
        with pytest.raises(JudgeError, match="judging: model .* all replies are empty"):
            generated(path, overlapped=True)
    assert len(judges.bodies) == 8
    assert not (tmp_path / "run/run/iter-01/judging.completions.jsonl").read_bytes()


def test_a_judge_that_writes_the_answers_too_takes_none_of_its_own_for_judgments(tmp_path):
    model = "org/judge"  # a name alone: neither its tokenizer nor its weights are read here

    def is_judgment(body):
        return "Final verdict" in body["messages"][-1]["content"]

    def both(body, index):
        if is_judgment(body):
            return judge(body, index)
        sleep(0.01)  # so that judgments come between a refusal and the next answer
        return generator(body, index)

    def objects(body):
        refuses = not is_judgment(body) and "7." in body["messages"][-1]["content"]
        return Refuse(400, "Could not process this request.") if refuses else None

    with chat_server(both, models=(model,), objects=objects) as server:
        options = {"base_url": server.base_url, "backoff_s": 0.001, "concurrency": 4}
        path = written(
            tmp_path,
            Path(model),
            texts=TEXTS,
            judge={"model": model, "engine": "http", "options": options},
            judging={"format": "brief", "samples": 1},
        )
        with open_run(path, [], quiet=True) as context:
            prepare_pool_with_prefetch(Iteration(1, context, stages.find_judge(context, 0)))
    ends = {
        name: {row["finish_reason"] for _, row in read_rows(tmp_path / "run" / name)}
        for name in ("pool/pairs.completions.jsonl", "iter-01/judging.completions.jsonl")
    }
    assert list(ends.values()) == [{"stop", "refused"}, {"stop"}]
