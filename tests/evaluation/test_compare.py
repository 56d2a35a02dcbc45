"""Comparing two judges pair by pair, and the table of all judges, on small evaluations on disk."""

import json
from pathlib import Path

import numpy as np
import pytest

from ste_plugin.errors import DataError
from ste_plugin.evaluation.compare import compare, compare_outcomes
from ste_plugin.evaluation.judges import Outcome, evaluations_at
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import Choice
from ste_plugin.lm_eval_tasks.figures import figures_of, summarise
from ste_plugin.lm_eval_tasks.judged_file import (
    pairs_hash,
    read_judged,
    write_choices,
    write_judged,
)
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.lm_eval_tasks.samples import Usage
from ste_plugin.storage.jsonl import replace_json, replace_rows
from tests.helpers.command import ste

pytestmark = pytest.mark.usefixtures("warm_hosts")

RIGHT, FIRST, WRONG = ("A", "B"), ("A", "A"), ("B", "A")
IDENTITY = {
    "model": "m",
    "pairs_sha256": "p" * 64,
    "judge_format": "brief-1",
    "settings": {"limit": None, "mode": "verdict"},
}


GREEDY = {"generation_kwargs": {"temperature": 0}}


def pairs(*verdicts, **more):
    return [
        JudgedPair(f"p{i}", "s", f"q{i}", tuple(map(OrderVerdict, "AB", said)), 9, 5, **more)
        for i, said in enumerate(verdicts)
    ]


def evaluation(folder: Path, judged, ran=None, **identity) -> Path:
    """Write what an evaluation leaves behind."""
    write_judged(folder, judged)
    host = {"host": ran} if ran else {}
    replace_json(folder / "results.json", IDENTITY | identity | summarise(judged) | host)
    return folder


def iteration(run: Path, number: int, **evaluations) -> None:
    for name, judged in evaluations.items():
        evaluation(run / f"iter-{number:02d}" / "eval" / name, judged)


def outcomes(*right, prompts=None):
    keys = prompts or range(len(right))
    return [Outcome("s", str(k), float(r), bool(r)) for k, r in zip(keys, right, strict=True)]


def test_the_lines_of_judged_jsonl_stay_what_they_are(tmp_path):
    shown_once = JudgedPair("p1", "s", "q", (OrderVerdict("B", "B"),), 9, 5, fits=False)
    as_a = OrderVerdict("A", "A", "B", ("A", None, "A"), 0.5)
    voted = JudgedPair(
        "p0", "s", "q", (as_a, OrderVerdict("B")), 9, 5, "S", 0.5, (2, 1, 0), 3, reply_chars=40
    )
    write_judged(tmp_path, [voted, shown_once])
    assert (tmp_path / "judged.jsonl").read_text().splitlines() == [
        '{"id":"p0","subset":"s","prompt":"q","verdict_a":"A","verdict_b":null,"forced_a":"B",'
        '"forced_b":null,"chosen_chars":9,"rejected_chars":5,"section":"S","weight":0.5,'
        '"votes":[2,1,0],"samples_a":["A",null,"A"],"samples_b":[],"asked":3,"drawn":3,'
        '"reply_chars":40,"shown":["A","B"],"fits":true,"log_odds_a":0.5,"log_odds_b":null}',
        '{"id":"p1","subset":"s","prompt":"q","verdict_a":null,"verdict_b":"B","forced_a":null,'
        '"forced_b":null,"chosen_chars":9,"rejected_chars":5,"section":"","weight":1.0,'
        '"votes":[1,0,0],"samples_a":[],"samples_b":[],"asked":1,"drawn":0,'
        '"reply_chars":0,"shown":["B"],"fits":false,"log_odds_a":null,"log_odds_b":null}',
    ]
    assert read_judged(tmp_path) == [voted, shown_once]


def test_the_difference_counts_the_pairs_won_and_lost():
    found = compare_outcomes(outcomes(1, 0, 0, 0, 1), outcomes(0, 1, 1, 0, 1))
    assert (found.n, found.won, found.lost) == (5, 2, 1)
    assert (found.acc_pc.first, found.acc_pc.second, found.acc_pc.difference) == (0.4, 0.6, 0.2)


def test_mcnemars_test_is_the_exact_one():
    # Of ten pairs that differ, nine are won: twice P(at least nine of ten coins) = 2 · 11/1024
    found = compare_outcomes(outcomes(*[0] * 9, 1), outcomes(*[1] * 9, 0))
    assert found.p == pytest.approx(22 / 1024)


def test_a_judge_compared_with_itself_is_noise():
    same = outcomes(1, 0, 1, 1)
    found = compare_outcomes(same, same)
    assert (found.p, found.acc_pc.interval, found.more_than_noise) == (1, (0, 0), False)
    assert "No more than noise" in found.sentence()


def test_three_pairs_won_of_three_are_still_noise():
    found = compare_outcomes(outcomes(0, 0, 0), outcomes(1, 1, 1))
    assert found.acc_pc.excludes_zero
    assert not found.more_than_noise


def test_a_large_difference_is_more_than_noise_and_says_who_is_better():
    worse, better = outcomes(*[0] * 30, *[1] * 10), outcomes(*[1] * 40)
    there, back = compare_outcomes(worse, better), compare_outcomes(better, worse)
    more = "is right in both orders more often than"
    assert f"the second judge {more} the first judge" in there.sentence()
    assert f"iter-01 {more} the seed" in back.sentence("iter-01", "the seed")
    assert there.acc_pc.interval == tuple(-x for x in reversed(back.acc_pc.interval))


def test_a_judge_that_never_answers_is_not_called_better_on_accuracy_in_silence():
    silent = [Outcome("s", str(n), 0.5, False) for n in range(40)]
    answers = [Outcome("s", str(n), float(n < 16), n < 16) for n in range(40)]
    told = compare_outcomes(silent, answers).sentence()
    assert "the second judge is right in both orders more often" in told
    assert "The accuracy of the second judge is the lower one" in told


def test_pairs_of_one_prompt_carry_less_and_widen_the_interval():
    a, b = [0] * 40, [1, 1, 1, 1, 0, 0, 0, 0] * 5
    apart = compare_outcomes(outcomes(*a), outcomes(*b)).acc_pc.interval
    prompts = [i // 4 for i in range(40)]
    together = compare_outcomes(outcomes(*a, prompts=prompts), outcomes(*b, prompts=prompts))
    low, high = together.acc_pc.interval
    assert high - low > 1.5 * (apart[1] - apart[0])


def test_pairs_that_share_prompts_are_tested_by_prompt_and_the_sentence_says_so():
    # Six prompts, all won: twice 1/2^6, however many pairs each has
    prompts = [i // 3 for i in range(18)]
    found = compare_outcomes(*(outcomes(*[r] * 18, prompts=prompts) for r in (0, 1)))
    assert (found.won, found.prompts, found.p) == (18, 6, 2 / 2**6)
    assert "18 pairs of 6 prompts" in found.sentence()
    assert "(sign-flip test by prompt, p = 0.031)" in found.sentence()
    alone = compare_outcomes(outcomes(*[0] * 6), outcomes(*[1] * 6))
    assert (alone.p, alone.prompts) == (found.p, 6)
    assert "(McNemar's exact test, p = 0.031)" in alone.sentence()


def test_equal_judges_that_know_other_prompts_are_rarely_told_apart():
    """Every strategy makes a pair of every instruction, as in a run: at most 1 in 20 expected."""
    found = 0
    for draw in map(np.random.default_rng, range(60)):
        skills = draw.beta(0.5, 0.25, (2, 40))
        judges = [
            [
                Outcome(f"strategy {s}", f"p{p}", float(right), bool(right))
                for p, right_of in enumerate(draw.random((40, 3)) < skill[:, None])
                for s, right in enumerate(right_of)
            ]
            for skill in skills
        ]
        found += compare_outcomes(*judges).more_than_noise
    assert found <= 6


def test_a_single_prompt_has_no_interval_and_no_finding():
    found = compare_outcomes(outcomes(0, 0, prompts="qq"), outcomes(1, 1, prompts="qq"))
    assert (found.acc_pc.interval, found.more_than_noise) == (None, False)


def test_two_evaluations_are_compared_by_the_ids_of_their_pairs(tmp_path):
    one = evaluation(tmp_path / "one", pairs(RIGHT, FIRST, WRONG))
    other = evaluation(tmp_path / "other", pairs(RIGHT, RIGHT, WRONG)[::-1])
    done, refused = compare(one, other / "results.json")
    assert (list(done), refused) == (["one"], {})
    assert (done["one"].won, done["one"].lost, done["one"].acc.difference) == (
        1,
        0,
        pytest.approx(0.5 / 3),
    )


def test_pairs_without_a_label_are_left_out(tmp_path):
    labelled, unlabelled = pairs(RIGHT), pairs(RIGHT, FIRST, votes=(0, 0, 0))[1:]
    place = evaluation(tmp_path / "one", labelled + unlabelled)
    done, _ = compare(place, place)
    assert done["one"].n == 1


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"pairs_sha256": "q" * 64}, "pairs pppppppppppp… against qqqqqqqqqqqq…"),
        ({"judge_format": "plan-2"}, "judge format brief-1 against plan-2"),
        ({"settings": {"limit": 3, "mode": "verdict"}}, "limit None against 3"),
        ({"settings": {"limit": None, "mode": "official"}}, "mode verdict against official"),
    ],
)
def test_what_is_not_the_same_measurement_is_refused_naming_it(tmp_path, changed, told):
    one = evaluation(tmp_path / "one", pairs(RIGHT))
    other = evaluation(tmp_path / "other", pairs(RIGHT), **changed)
    with pytest.raises(DataError) as refused:
        compare(one, other)
    assert told in str(refused.value)


def test_runs_are_compared_by_their_best_iterations_on_what_both_measured(tmp_path):
    for name, best, said in (("a", 0, FIRST), ("b", 1, RIGHT)):
        iteration(tmp_path / name, 0, test=pairs(FIRST), **{name: pairs(FIRST)})
        iteration(tmp_path / name, 1, test=pairs(said))
        replace_json(tmp_path / name / "report.json", {"best": best})
    done, _ = compare(tmp_path / "a", tmp_path / "b")
    assert {name: (found.won, found.lost) for name, found in done.items()} == {"test": (1, 0)}


def test_evaluations_that_cannot_be_compared_do_not_hide_those_that_can(tmp_path):
    for name, sha in (("a", "1"), ("b", "2")):
        evaluation(tmp_path / name / "eval" / "test", pairs(RIGHT), pairs_sha256=sha)
        evaluation(tmp_path / name / "eval" / "ste_llmbar", pairs(RIGHT))
    done, refused = compare(tmp_path / "a", tmp_path / "b" / "eval")
    assert (list(done), refused) == (["ste_llmbar"], {"test": "not the same pairs 1 against 2"})


def test_an_unfinished_run_asks_for_one_of_its_iterations(tmp_path):
    (tmp_path / "run.yaml").write_text("config: {}\n")
    with pytest.raises(DataError, match="no best iteration yet.*name an iteration.s folder"):
        evaluations_at(tmp_path)


def logged(folder: Path, judged) -> Path:
    """Write samples as lm-eval logs them."""
    figures = figures_of(judged)
    rows = [
        {"doc_id": i, "doc": {"id": p.id}, **{n: f.term(p) for n, f in figures.items()}}
        for i, p in enumerate(judged)
    ]
    replace_rows(folder / "samples_ste_local_2026-01-01T00-00-00.000000.jsonl", rows)
    return folder


def test_samples_of_plain_lm_eval_are_compared_with_each_other_and_with_an_evaluation(tmp_path):
    plain = logged(tmp_path / "out" / "model", pairs(FIRST, RIGHT))
    sha = pairs_hash([{"id": "p0"}, {"id": "p1"}])
    ours = evaluation(tmp_path / "ste_local", pairs(RIGHT, RIGHT), pairs_sha256=sha)
    done, _ = compare(plain.parent, ours)
    assert (done["ste_local"].won, done["ste_local"].acc.first) == (1, 0.75)
    changed = evaluation(tmp_path / "changed", pairs(RIGHT, RIGHT))
    with pytest.raises(DataError, match="not the same pairs"):
        compare(plain, changed)


def test_a_folder_with_samples_of_two_judges_is_refused_with_their_folders(tmp_path):
    for name in ("one", "other"):
        logged(tmp_path / name, pairs(RIGHT))
    with pytest.raises(DataError, match="ste_local in one and in other; expected .* one judge"):
        evaluations_at(tmp_path)
    assert evaluations_at(tmp_path / "one")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"apply_chat_template": False}, "apply_chat_template True against False"),
        ({"system_instruction": "Say A."}, "system_instruction None against Say A."),
        (
            {"generation_kwargs": {"temperature": 0, "until": ["[["]}},
            "until None against ['[[']",
        ),
    ],
)
def test_options_of_lm_eval_that_differ_are_told(tmp_path, how, told):
    one = evaluation(tmp_path / "one", pairs(FIRST), **GREEDY)
    other = evaluation(tmp_path / "other", pairs(RIGHT), **{**GREEDY, **how})
    (found,) = compare(one, other)[0].values()
    assert f"They were measured differently: {told}." in found.sentence()


def test_samples_of_another_task_are_refused(tmp_path):
    replace_rows(tmp_path / "samples_gsm8k_2026.jsonl", [{"doc": {}, "exact_match": 1}])
    with pytest.raises(DataError, match="not a sample of a judge task"):
        evaluations_at(tmp_path)


def test_a_damaged_file_of_judged_pairs_is_named(tmp_path):
    place = evaluation(tmp_path / "one", pairs(RIGHT))
    (place / "judged.jsonl").write_text('{"id": "p0"}\n')
    with pytest.raises(DataError, match=r"judged.jsonl:1"):
        compare(place, place)


def test_best_of_four_is_compared_by_points(tmp_path):
    rows = [Choice("1", "Focus", "q", ("good",), ("b", "c", "d"))]
    right = "ABCD"[rows[0].shown().index(0)]
    for name, said in (("a", "none"), ("b", f"[[{right}]]")):
        write_choices(tmp_path / name, rows, [[said]])
        replace_json(tmp_path / name / "results.json", {"model": name})
    done, _ = compare(tmp_path / "a", tmp_path / "b")
    assert (done["a"].won, done["a"].acc.difference) == (1, 0.75)


def test_the_command_tells_people_and_scripts_the_same(tmp_path):
    one = evaluation(tmp_path / "one", pairs(*[FIRST] * 9))
    other = evaluation(tmp_path / "other", pairs(*[RIGHT] * 9))
    shown = ste("compare", str(one), str(other), cwd=tmp_path)
    assert "More than noise: the second judge is right in both orders more often" in shown.stdout, (
        shown.stderr
    )
    found = json.loads(ste("compare", str(one), str(other), "--json", cwd=tmp_path).stdout)
    comparison = found["evaluations"]["one"]
    assert (comparison["won"], comparison["lost"], comparison["more_than_noise"]) == (9, 0, True)
    assert comparison["acc_pc"]["interval"] == [1, 1]


def test_the_command_refuses_plainly(tmp_path):
    one = evaluation(tmp_path / "one", pairs(RIGHT))
    other = evaluation(tmp_path / "other", pairs(RIGHT), judge_format="plan-2")
    done = ste("compare", str(one), str(other), cwd=tmp_path)
    assert (done.returncode, "judge format brief-1 against plan-2" in done.stderr) == (3, True)
    assert "Traceback" not in done.stderr


def measured_run(tmp_path):
    ran = {"seconds": 10.0, "judgments": 4, "prompt_tokens": 4000, "reply_tokens": 40}
    for number, said in ((0, FIRST), (1, RIGHT)):
        folder = tmp_path / "run" / f"iter-{number:02d}" / "eval"
        evaluation(folder / "test", pairs(said, RIGHT), ran)
    evaluation(folder / "ste_mtbench_human", pairs(RIGHT, votes=(2, 1, 0)))
    return tmp_path / "run"


def test_the_table_has_a_line_for_every_judge_and_benchmark(tmp_path):
    run = measured_run(tmp_path)
    lines = json.loads(ste("eval", str(run), "--table", "--json", cwd=tmp_path).stdout)
    assert [(line["judge"], line["pairs"]) for line in lines] == [
        ("seed", "test"),
        ("iteration 1", "ste_mtbench_human"),
        ("iteration 1", "test"),
    ]
    assert lines[0] == {
        "judge": "seed",
        "pairs": "test",
        "n": 2,
        "counted": None,
        "accuracy": 0.75,
        "right in both orders": 0.5,
        "position bias": 0.25,
        "invalid rate": 0.0,
        "agreement": None,
        "final": None,
        "prompt tokens per 1,000": 1_000_000,
        "reply tokens per 1,000": 10_000,
        "seconds per 1,000": 2500,
    }
    assert lines[1]["agreement"] == pytest.approx(2 / 3)
    assert lines[1]["seconds per 1,000"] is None


def test_the_table_for_people_leaves_out_what_nobody_has(tmp_path):
    shown = ste("eval", str(measured_run(tmp_path)), "--table", cwd=tmp_path).stdout
    assert "agreement" in shown
    assert "final" not in shown
    assert "1,000,000" in shown


def test_a_run_without_any_evaluation_has_no_table(tmp_path):
    done = ste("eval", str(tmp_path), "--table", cwd=tmp_path)
    assert (done.returncode, "no judge was measured there yet" in done.stderr) == (3, True)


def asked(prompt, reply):
    return {"arg_0": prompt, "arg_1": {"until": []}}, reply


def sample(*requests):
    arguments = {f"gen_args_{i}": argument for i, (argument, _) in enumerate(requests)}
    return {"arguments": arguments, "filtered_resps": [reply for _, reply in requests]}


def words(text):
    return len(text.split())


def test_tokens_are_counted_for_every_reply_that_was_drawn():
    from ste_plugin.lm_eval_tasks.replies import NOT_DRAWN

    usage = Usage(words)
    usage.add(sample(asked("one two", ["a", "b c", NOT_DRAWN]), asked("one two three", ["d"])))
    assert usage.to_dict() == {"judgments": 2, "prompt_tokens": 2 + 2 + 3, "reply_tokens": 4}


def test_a_prompt_of_two_likelihoods_is_counted_once():
    usage = Usage(words)
    scored = [({"arg_0": "one two", "arg_1": letter}, ["-1.0", "False"]) for letter in "AB"]
    usage.add(sample(*scored))
    assert usage.to_dict() == {"judgments": 1, "prompt_tokens": 2, "reply_tokens": 0}


def test_a_judge_whose_tokenizer_is_unknown_has_no_count_of_tokens():
    usage = Usage(None)
    usage.add(sample(asked("one", "a")))
    assert usage.to_dict() == {"judgments": 1, "prompt_tokens": None, "reply_tokens": None}


@pytest.mark.slow
def test_any_model_is_measured_without_a_run(tiny_model, tmp_path):
    rows = [
        {"id": f"p{i}", "subset": "s", "prompt": f"q{i}", "chosen": "yes", "rejected": "no"}
        for i in range(2)
    ]
    replace_rows(tmp_path / "pairs.jsonl", rows)
    arguments = ["--data", "pairs.jsonl", "--format", "verdict", "--judge-args", "max_new_tokens=2"]
    done = ste("eval", "--model", str(tiny_model), *arguments, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    place = tmp_path / "evaluations" / tiny_model.name / "ste_local"
    assert json.loads((place / "results.json").read_text()) == found
    assert found["host"]["judgments"] == 4
    assert found["host"]["prompt_tokens"] > found["host"]["reply_tokens"] > 0
    with_samples, _ = compare(place, place / "lm-eval")
    assert with_samples["ste_local"].won == with_samples["ste_local"].lost == 0
