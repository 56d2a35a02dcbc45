"""A judge that prefers its own answers is found where labelled pairs say whose each answer is."""

import json
import random
from pathlib import Path

import pytest

from ste_plugin.audit.probes import own_answers
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.records import OTHER
from ste_plugin.run.open_run import open_existing
from ste_plugin.storage.config_file import read_run_yaml
from tests.helpers.labelled_rows import reply, user
from tests.helpers.measured_runs import measured, measured_run

OWN, OTHERS = "Lama-3-8B", "Mistery-7B"


def rows(n: int = 120) -> list[dict]:
    """Labelled pairs: of a half the better answer is the judge's own, of the others the worse."""
    both = [(OWN, OTHERS), (OTHERS, f"meta/{OWN.upper()}")]
    return [
        {
            "id": f"p{i}",
            "subset": "s",
            "prompt": f"question {i}",
            "chosen": f"good {i}",
            "rejected": f"bad {i}",
            "chosen_model": both[i % 2][0],
            "rejected_model": both[i % 2][1],
        }
        for i in range(n)
    ]


def fair(draw: random.Random, _: bool) -> bool:
    """Right in four of five orders, whoever wrote the better answer."""
    return draw.random() < 0.8


def vain(draw: random.Random, own_is_better: bool) -> bool:
    """As good, but that it takes its own answer for the better one more often than not."""
    return draw.random() < (0.95 if own_is_better else 0.45)


def outcome(folder: Path, judge, told=rows, seed=1, **settings):
    """What is known of a synthetic judge that was measured on the pairs."""
    file, draw = folder / "people.jsonl", random.Random(seed)
    file.write_text("".join(json.dumps(row) + "\n" for row in told()))
    judged = []
    for row in rows():
        said = [judge(draw, row["chosen_model"] == OWN) for _ in "AB"]
        orders = tuple(
            OrderVerdict(gold, gold if right else OTHER[gold])
            for gold, right in zip("AB", said, strict=True)
        )
        judged.append(JudgedPair(row["id"], "s", row["prompt"], orders, 9, 9))
    evaluation = f"{{pairs: {{people: {file}}}}}"
    audit = json.dumps({"own_names": [OWN]} | settings)
    root = measured_run(folder, (0.5,), evaluation=evaluation, audit=audit)
    measured(root / "iter-00/eval/people", judged)
    with open_existing(read_run_yaml(root / "run.yaml"), folder, [], quiet=True) as context:
        found = own_answers.measure(context, 0)
    return found, own_answers.tell(found, [], "seed")


def test_a_judge_that_prefers_its_own_is_found_and_by_how_much(tmp_path):
    found, told = outcome(tmp_path, vain)
    assert told.failed and told.interval[0] > 0.3
    assert told.interval[0] < 0.5 < told.interval[1]  # 0.55 wrong for its own, 0.05 against them
    assert (len(found.own_worse), len(found.own_better)) == (60, 60)
    assert told.words.startswith("It prefers its own model's answers: where the worse answer is")
    assert told.cure


def test_fair_judges_are_not_accused(tmp_path):
    alarms = 0
    for seed in range(10):
        (folder := tmp_path / str(seed)).mkdir()
        _, told = outcome(folder, fair, seed=seed)
        assert not told.undecided and told.threshold == 0.05
        alarms += told.failed
    assert alarms <= 2  # one in twenty


def unordered():
    """The same pairs as two responses with a label, the better one second."""
    return [
        {
            **{key: row[key] for key in ("id", "subset", "prompt")},
            "response_a": row["rejected"],
            "response_b": row["chosen"],
            "label": "B",
            "model_a": row["rejected_model"],
            "model_b": row["chosen_model"],
        }
        for row in rows()
    ]


def test_responses_with_a_label_say_it_by_model_a_and_model_b(tmp_path):
    assert outcome(tmp_path, vain, unordered)[1].failed


def arena():
    """The same pairs as votes of an arena."""
    return [
        {
            "id": row["id"],
            "conversation_a": [user(row["prompt"]), reply(row["rejected"])],
            "conversation_b": [user(row["prompt"]), reply(row["chosen"])],
            "winner": "model_b",
            "model_a": row["rejected_model"],
            "model_b": row["chosen_model"],
        }
        for row in rows()
    ]


def test_votes_of_an_arena_say_it_too(tmp_path):
    assert outcome(tmp_path, vain, arena)[1].failed


def without(*columns):
    return lambda: [{k: v for k, v in row.items() if k not in columns} for row in rows()]


@pytest.mark.parametrize(
    ("told", "settings", "words"),
    [
        (without("chosen_model", "rejected_model"), {}, "Not applicable: both answers of this run"),
        (without("chosen_model"), {}, "Not applicable: both answers of this run"),
        (rows, {"own_names": ["gpt-x"]}, "none of which is gpt-x. Say by audit.own_names"),
        (lambda: rows()[:20], {}, "too few to tell whether it prefers its own"),
    ],
)
def test_where_the_pairs_do_not_tell_it_says_why(tmp_path, told, settings, words):
    _, finding = outcome(tmp_path, vain, told, **settings)
    assert finding.undecided and not finding.failed
    assert words in finding.words


def test_pairs_that_no_judge_was_measured_on_are_named(tmp_path):
    outcome(tmp_path, vain)
    root = tmp_path / "run"
    (root / "iter-00/eval/people/results.json").unlink()
    with open_existing(read_run_yaml(root / "run.yaml"), tmp_path, [], quiet=True) as context:
        found = own_answers.measure(context, 0)
    assert found.problem == "Not measured on people, whose pairs name models: `ste eval`."


def test_a_file_of_pairs_that_is_gone_is_told_and_costs_no_other_probe(tmp_path):
    outcome(tmp_path, vain)
    (tmp_path / "people.jsonl").unlink()
    root = tmp_path / "run"
    with open_existing(read_run_yaml(root / "run.yaml"), tmp_path, [], quiet=True) as context:
        assert "people.jsonl" in own_answers.measure(context, 0).problem
