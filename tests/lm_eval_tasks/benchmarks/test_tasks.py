"""Every task in the real lm-eval: judges known in full get exactly what arithmetic says."""

import re
from collections import defaultdict

import pytest

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judging.builtin import VERDICT
from ste_plugin.lm_eval_tasks.benchmarks import read_pairs
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import REWARDBENCH2
from ste_plugin.lm_eval_tasks.replies import orders_shown
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.storage.resources import shipped_folder
from tests.helpers.benchmark_rows import HIDDEN, in_folder
from tests.helpers.known_judges import JUDGES, answers, evaluated, judge
from tests.helpers.scripted_judge import SCORED, asked

ALL = sorted(path.stem for path in shipped_folder("tasks").glob("*.yaml"))
NAMES = [name for name in ALL if name != "ste_judged" and not name.endswith("_cascade")]
"""Those that measure the judge that lm-eval asks: the others ask judges of their own."""
OF_PAIRS = [name for name in NAMES if name != "ste_rewardbench2"]
ORDERS = "AB"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return in_folder(tmp_path_factory.mktemp("benchmarks"))


@pytest.fixture(scope="module")
def reported(folder):
    """What lm-eval reports of every task, by judge; each judge is asked once."""
    found = {}

    def of(name):
        if name not in found:
            found[name] = evaluated(judge(name), folder, NAMES)
        return found[name]

    return of


def settings_of(task, folder):
    """The settings that a task's name promises."""
    stem, _, variant = task.removeprefix("ste_").partition("_")
    if stem == "mtbench":
        stem, variant = "mtbench_human", variant.removeprefix("human").lstrip("_")
    sections = {
        "chat": "Chat",
        "chat_hard": "Chat Hard",
        "safety": "Safety",
        "reasoning": "Reasoning",
    }
    return JudgeSettings(
        folder,
        "verdict",
        benchmark=stem,
        section=sections.get(variant, ""),
        mode={"official": "official", "logprob": "likelier"}.get(variant, "verdict"),
    )


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def scores(pair, choose, settings):
    """1, 0 or ½ for each order in which a judge sees a pair."""
    found = []
    for order in orders_shown(pair.id, settings):
        prompt = VERDICT.render_pair(pair.prompt, pair.chosen, pair.rejected, order)[0].content
        letter = choose(answers(prompt))
        found.append(0.5 if letter is None else float(letter == order))
    return found


@pytest.mark.parametrize("task", OF_PAIRS)
@pytest.mark.parametrize("name", JUDGES)
def test_a_judge_known_in_full_gets_what_arithmetic_says(reported, folder, name, task):
    metrics, settings = reported(name)[task], settings_of(task, folder)
    pairs = [(p, scores(p, JUDGES[name][0], settings)) for p in read_pairs(settings)]
    labelled = [(p, s) for p, s in pairs if p.votes[0] > p.votes[1]]
    expected = {
        "acc": mean(mean(s) for _, s in labelled),
        "acc_strict": mean(mean(x == 1 for x in s) for _, s in labelled),
        "invalid_rate": mean(x == 0.5 for _, s in pairs for x in s),
    }
    if settings.mode != "official":
        expected |= {
            "acc_pc": mean(s == [1, 1] for _, s in labelled),
            "consistency": mean(s in ([1, 1], [0, 0]) for _, s in pairs),
        }
    by_subset, by_section = defaultdict(list), defaultdict(list)
    for pair, found in labelled:
        by_subset[f"acc/{pair.subset}"].append(mean(found))
        by_section[f"acc_section/{pair.section}"].append((pair.weight, mean(found)))
    expected |= {key: mean(found) for key, found in by_subset.items()}
    if any(p.section for p, _ in pairs):
        of_sections = {
            key: sum(w * x for w, x in found) / sum(w for w, _ in found)
            for key, found in by_section.items()
        }
        final = None if settings.section else mean(of_sections.values())
        expected |= of_sections | {"final": final}
    assert {key: metrics[key] for key in expected} == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "acc", "acc_pc"), [("perfect", 1, 1), ("always A", 0.5, 0), ("never valid", 0.5, 0)]
)
def test_every_task_gives_the_extremes_their_due(reported, name, acc, acc_pc):
    for task in OF_PAIRS:
        metrics = reported(name)[task]
        if not task.endswith("_official"):
            assert (metrics["acc"], metrics["acc_pc"]) == (acc, acc_pc), task


def test_agreement_with_people_counts_every_vote_with_and_without_ties(reported):
    # gpt-4 : llama : tie were 2:1:0, 1:0:1 and 1:0:0; the perfect judge always prefers gpt-4.
    perfect, wavering = (reported(n)["ste_mtbench_human"] for n in ("perfect", "always A"))
    assert (perfect["agreement"], perfect["agreement_no_tie"]) == (4 / 6, 4 / 5)
    assert (perfect["agreement/turn 2"], perfect["agreement_no_tie/turn 2"]) == (1 / 2, 1)
    assert (wavering["agreement"], wavering["agreement_no_tie"]) == (1 / 6, None)


def choice_points(row, choose):
    shown = {letter: row.answers[i] for letter, i in zip("ABCD", row.shown(), strict=True)}
    letter = choose(shown)
    return 0.25 if letter is None else float(shown[letter] == row.chosen[0])


@pytest.mark.parametrize(
    ("name", "ties"),
    [
        # All right above all wrong, no spread: 0.3 + 0.3 + 0.2 + 0.2, and no margin to speak of.
        ("perfect", 1.0),
        # No ratings: nothing is above anything.
        ("always A", 0.0),
        ("never valid", 0.0),
        # Right answers are rated 1, 2, 3 and wrong ones 2; the reference prompt's right one is 1:
        # both gaps are -1, the spread 2, so only 0.01 · tanh(-1/2 - 1) is left.
        ("always longer", 0.01 * -0.9051482536448664),
    ],
)
def test_rewardbench_2_is_the_plain_mean_of_six(reported, folder, name, ties):
    metrics, expected = reported(name)["ste_rewardbench2"], {"Ties": ties}
    rows = [row for row in REWARDBENCH2.read(folder / "rewardbench2.jsonl") if row.subset != "Ties"]
    for subset in dict.fromkeys(row.subset for row in rows):
        expected[subset] = mean(
            choice_points(r, JUDGES[name][0]) for r in rows if r.subset == subset
        )
    found = {key: metrics[f"acc_section/{key}"] for key in expected}
    assert found == pytest.approx(expected, abs=1e-12)
    assert metrics["final"] == pytest.approx(mean(expected.values()), abs=1e-12)


@pytest.mark.parametrize("limit", ["limit", "lm_evals_limit"])
def test_a_limit_that_leaves_a_section_empty_leaves_the_final_score_empty(folder, limit):
    tasks = ["ste_rewardbench", "ste_rewardbench2", "ste_rmbench"]
    found = evaluated(judge("perfect"), folder, tasks, **{limit: 2})
    for task, metrics in found.items():
        of_sections = [metrics[key] for key in metrics if re.fullmatch("acc_section/[^_]*", key)]
        assert sorted(of_sections, key=str) == [1.0, *[None] * (len(of_sections) - 1)], task
        assert (len(of_sections), metrics["final"], metrics["final_se"]) == (
            6 if task == "ste_rewardbench2" else 4,
            None,
            None,
        )


def test_rewardbench_2_stands_beside_its_baselines(reported):
    metrics = reported("never valid")["ste_rewardbench2"]
    assert metrics["invalid_rate"] == 1
    assert metrics["pick_a_baseline"] == pytest.approx(
        mean(
            reported("always A")["ste_rewardbench2"][f"acc_section/{s}"]
            for s in REWARDBENCH2.sections[:5]
        )
    )
    assert metrics["len_baseline"] == pytest.approx(1 / 3)  # of three rows, one's right answer


def test_standard_errors_stand_beside_every_score(reported):
    metrics = reported("random")["ste_rewardbench2"]
    errors = [metrics[f"acc_section/{s}_se"] for s in REWARDBENCH2.sections]
    assert all(error is not None and error >= 0 for error in errors)
    assert metrics["final_se"] == pytest.approx(sum(e * e for e in errors) ** 0.5 / 6)


def test_no_hidden_column_reaches_a_judge(folder):
    model = judge("perfect")
    evaluated(model, folder, NAMES)
    shown = " ".join(str(arguments[0]) for _, *arguments in model.asked)
    assert "Prompt math-prm 0" in shown and HIDDEN not in shown


def test_the_logprob_variants_generate_nothing(folder):
    model = judge("perfect")
    evaluated(model, folder, ["ste_judge_fast"])
    assert {kind for kind, *_ in model.asked} == {SCORED}


def test_the_tags_cover_every_benchmark(folder):
    stems = {n.removesuffix("_logprob") for n in NAMES if n.endswith("_logprob")}
    whole, fast = (
        set(evaluated(judge("perfect"), folder, [tag])) - {tag}
        for tag in ("ste_judge", "ste_judge_fast")
    )
    assert whole == stems | {"ste_rewardbench2"}
    assert fast == {f"{stem}_logprob" for stem in stems}


def test_every_yaml_is_a_task_of_its_own_name():
    from lm_eval.tasks import TaskManager

    tasks = TaskManager(include_path=str(shipped_folder("tasks")), include_defaults=False)
    assert sorted(tasks.all_subtasks) == ALL  # lm-eval 0.4.13 skips a broken YAML without a word


def test_four_answers_are_shown_neutralised_and_rated_alone_in_ties(folder):
    model = judge("perfect")
    evaluated(model, folder, ["ste_rewardbench2"])
    prompts = [prompt for prompt, _ in asked(model, "generate_until")]
    letters = [set(answers(prompt)) for prompt in prompts]
    assert letters.count(set("ABCD")) == 15
    assert letters.count({""}) == len(letters) - 15 == 2 * (3 + 5)


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"votes": 8}, "STE_JUDGE_VOTES"), ({"mode": "likelier"}, "STE_JUDGE_MODE")],
)
def test_settings_that_rewardbench_2_cannot_follow_are_refused(folder, settings, told):
    with pytest.raises(ConfigError, match=told):
        evaluated(judge("perfect"), folder, ["ste_rewardbench2"], **settings)


def test_a_prompt_of_four_that_the_backend_would_cut_is_refused(folder):
    model = judge("perfect")
    model.tok_encode, model.max_length = lambda text: [1 for _ in text.split()], 100
    with pytest.raises(DataError, match=r"rewardbench2: 19 of 19 .* do not fit"):
        evaluated(model, folder, ["ste_rewardbench2"], max_new_tokens=90)
    assert model.asked == []


@pytest.mark.parametrize("task", ["ste_rewardbench", "ste_rewardbench2"])
def test_openai_is_sent_no_setting_that_it_refuses(folder, task):
    model = judge("perfect")
    type(model).__name__ = "OpenAIChatCompletion"
    evaluated(model, folder, [task])
    settings = [set(generation) for _, generation in asked(model, "generate_until")]
    assert settings
    assert all(names.isdisjoint({"repetition_penalty", "top_k"}) for names in settings)
