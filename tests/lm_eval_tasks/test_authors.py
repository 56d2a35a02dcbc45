"""The authors' figures beside ours: theirs by their own formula, whatever a judge says."""

import random

import pytest

from ste_plugin.judging.builtin import VERDICT
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.lm_eval_tasks.authors import AUTHORS, authors_figures
from ste_plugin.lm_eval_tasks.benchmarks import read_pairs
from ste_plugin.lm_eval_tasks.figures import SPREAD, figures_of, summarise
from ste_plugin.lm_eval_tasks.judged_file import read_judged, write_judged
from ste_plugin.lm_eval_tasks.replies import read_replies
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.records import ORDERS, OTHER
from tests.helpers import authors_formulas
from tests.helpers.published_sets import publish

NAMES = sorted(AUTHORS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    for name in NAMES:
        publish(folder / name, name, each=12)
    return folder


def said_at_random(pairs, seed):
    """What a judge says of each pair in both orders, whose skill differs from part to part."""
    drawn = random.Random(seed)
    skills = {}
    for pair in pairs:
        skill = skills.setdefault((pair.section, pair.subset, pair.group), drawn.random())
        weights = [skill, 1 - skill, 0.2]
        yield pair, *(drawn.choices([gold, OTHER[gold], None], weights)[0] for gold in ORDERS)


def judged(said, settings):
    """The same as replies that are read as lm-eval's are."""
    return [
        read_replies(pair, [f"[[{verdict}]]" for verdict in verdicts], VERDICT, settings)
        for pair, *verdicts in said
    ]


def theirs(name, said, folder):
    if name != "mtbench_human":
        return getattr(authors_formulas, name)(said)
    from pyarrow.parquet import read_table

    (file,) = (folder / name / "data").glob("human-*")
    return authors_formulas.mtbench_human(said, read_table(file).to_pylist())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", NAMES)
def test_they_are_what_the_authors_formula_gives_for_random_verdicts(folder, name, seed):
    settings = JudgeSettings(folder, "verdict", benchmark=name)
    said = list(said_at_random(read_pairs(settings), seed))
    found = summarise(judged(said, settings), settings=settings)["authors"]
    values = {key: value for key, value in found.items() if not key.endswith(SPREAD)}
    assert values == pytest.approx(theirs(name, said, folder), abs=1e-12)
    assert all(found[f"{key}_se"] >= 0 for key in values)


def test_rmbench_pooled_over_pairs_is_another_figure_than_the_mean_of_four_domains(folder):
    settings = JudgeSettings(folder, "verdict", benchmark="rmbench")
    said = [(p, *("AB" if p.section == "Safety" else "BA")) for p in read_pairs(settings)]
    told = summarise(judged(said, settings), settings=settings)
    assert told["subsets"]["hard"]["acc"] == 24 / 60  # 12 rows of each of five domains
    assert told["authors"]["hard"] == 1 / 4


def test_one_right_and_one_silent_verdict_is_right_for_judgebench_and_one_of_each_is_not(folder):
    settings = JudgeSettings(folder, "verdict", benchmark="judgebench")
    pairs = read_pairs(settings)
    for said, expected in (("A", None), 1.0), (("A", "A"), 0.0), ((None, None), 0.0):
        of_all = judged([(pair, *said) for pair in pairs], settings)
        assert summarise(of_all, settings=settings)["authors"]["claude"] == expected


def test_votes_of_the_authors_themselves_do_not_count_in_their_agreement():
    pair = LabelledPair("1", "turn 1", "p", "a", "b", votes=(3, 1, 0), counted_votes=(0, 1, 0))
    settings = JudgeSettings(format="verdict", benchmark="mtbench_human")
    told = summarise(judged([(pair, "A", "B")], settings), settings=settings)
    assert (told["overall"]["agreement"], told["authors"]["agreement/turn 1"]) == (3 / 4, 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_empty_where_a_limit_leaves_one_of_its_parts_without_a_pair(folder, name):
    settings = JudgeSettings(folder, "verdict", benchmark=name, limit=9)
    said = [(pair, "A", "B") for pair in read_pairs(settings)]
    found = summarise(judged(said, settings), settings=settings)["authors"]
    names = {key.removeprefix("authors/") for key in authors_figures(name)}
    assert {key for key in found if not key.endswith(SPREAD)} == names
    empty = {
        "rmbench": {"average", "hard", "Safety"},
        "llmbar": {"Adversarial", "equal/Natural"},
        "judgebench": {"gpt/mmlu-pro", "claude/mmlu-pro"},
        "mtbench_human": {"agreement/turn 2"},
    }[name]
    kept = {key for key in names if found[key] is not None}
    assert kept and empty - kept and all(found[key] == 1 for key in kept if "agree" not in key)
    assert {key for key in names - kept if found[f"{key}_se"] is not None} == set()


@pytest.mark.parametrize("name", NAMES)
def test_what_they_need_survives_documents_of_lm_eval_and_judged_jsonl(folder, tmp_path, name):
    settings = JudgeSettings(folder, "verdict", benchmark=name)
    pairs = read_pairs(settings)
    assert [LabelledPair.from_doc(pair.to_doc()) for pair in pairs] == pairs
    assert len({tuple(pair.to_doc()) for pair in pairs}) == 1  # a data set has one set of columns
    rows = judged([(pair, "A", "A") for pair in pairs], settings)
    write_judged(tmp_path, rows)
    assert read_judged(tmp_path) == rows


def test_a_benchmark_whose_authors_figures_are_everybodys_has_none_of_its_own():
    for name in ("rewardbench", "helpsteer2", "local"):
        settings = JudgeSettings(benchmark=name)
        assert authors_figures(name) == {} and "authors" not in summarise([], settings=settings)
        assert not any(key.startswith("authors/") for key in figures_of([], settings))
