"""A cascade in use: the first stage that may answer does, and its tokens are counted apart."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from ste_plugin import Cascade
from ste_plugin.cascade import open_judge
from ste_plugin.cascade.fitting import Promise, ask_all, fit, fitted, require_enough
from ste_plugin.cascade.labels import fit_labels
from ste_plugin.cascade.settings import CascadeSettings, read_cascade, write_cascade
from ste_plugin.cascade.stages import asked_as, formats_of, open_stages
from ste_plugin.errors import ConfigError, DataError, EngineError, Inconclusive
from ste_plugin.integrations.policy_reward import WinRate
from ste_plugin.integrations.reward_settings import RewardSettings
from ste_plugin.lm_eval_tasks.shown_columns import kept_by_all
from ste_plugin.testing import FakeEngine
from tests.helpers.cascades import StagedEngine, number_of, pair_row, use_engine, write_pairs
from tests.helpers.served_judges import served

JUDGES = {
    "decision": {"judge": "small", "format": "verdict", "engine": "local", "force_verdict": True},
    "reasoning": {"judge": "large", "format": "brief", "engine": "local"},
    "votes": 5,
}


@pytest.fixture(scope="module")
def fitted_text(tmp_path_factory):
    """What is written of a cascade fitted on 300 pairs."""
    folder = tmp_path_factory.mktemp("fitted")
    settings = CascadeSettings.model_validate(JUDGES)
    labels = fit_labels(write_pairs(folder / "people.jsonl", map(pair_row, range(300))), None)
    with pytest.MonkeyPatch.context() as patch:
        use_engine(patch, StagedEngine())
        stages = open_stages(settings)
        said = ask_all(stages, labels, "left out")
    promise = Promise(0.10)
    found = fit(said, promise, len(settings.stages))
    told = fitted(found, promise, labels, stages, said)
    write_cascade(folder / "cascade.json", settings.model_copy(update={"fitted": told}))
    return (folder / "cascade.json").read_text()


@pytest.fixture
def made(tmp_path, monkeypatch, fitted_text):
    """The file of a fitted cascade, and the engine of all its judges."""
    path = tmp_path / "cascade.json"
    path.write_text(fitted_text)
    return path, use_engine(monkeypatch, StagedEngine())


def compared(path, numbers):
    rows = map(pair_row, numbers)
    with Cascade(path) as judge:
        return judge.compare_many([(r["prompt"], r["chosen"], r["rejected"]) for r in rows])


def test_each_stage_is_asked_only_what_the_ones_before_leave_open(made):
    path, engine = made
    found = compared(path, range(200))
    stages = {name: [c for c in found if c.stage == name] for name in ("decision", "reasoning")}
    assert all(c.verdict for c in stages["decision"] + stages["reasoning"])
    assert len(stages["decision"]) > 20
    # pairs that are decided by position are never answered by the decision
    assert all(found[i].stage != "decision" for i in range(3, 200, 4))
    asked_to_reason = [r for r in engine.requests if "Say why" in r.messages[-1].content]
    greedy = {r.prompt_key for r in asked_to_reason if r.sampling.temperature == 0}
    assert len(greedy) == 2 * (200 - len(stages["decision"]))


def test_tokens_are_those_of_all_stages_asked(made):
    path, _ = made
    found = compared(path, range(60))
    decided = next(c for c in found if c.stage == "decision")
    reasoned = next(c for c in found if c.stage == "reasoning")
    assert decided.tokens.written == 2  # a letter per order
    assert reasoned.tokens.written == 2 + 2 * len(["Because.", "Final", "verdict:", "[[A]]"])
    assert reasoned.tokens.prompt > decided.tokens.prompt > 0


def test_a_file_without_a_threshold_is_refused_with_the_command_that_fits_it(tmp_path):
    path = tmp_path / "cascade.yaml"
    path.write_text("decision: {judge: small, format: verdict, engine: local}\n")
    with pytest.raises(ConfigError, match="ste cascade fit .*cascade.yaml --labels"):
        Cascade(path)


@pytest.mark.parametrize(
    ("stage", "change", "said"),
    [
        ("decision", {"judge": "other"}, "another model of the stage 'decision'"),
        ("reasoning", {"format": "criteria"}, "another format of the stage 'reasoning'"),
        ("decision", {"force_verdict": False}, "another force_verdict of the stage 'decision'"),
        ("reasoning", {"max_new_tokens": 9}, "another max_new_tokens of the stage 'reasoning'"),
    ],
)
def test_a_threshold_fitted_for_another_judge_is_refused(made, stage, change, said):
    path, _ = made
    settings = read_cascade(path)
    told = settings.fitted.model_copy(update={"deepest": "vote"})
    other = getattr(settings, stage).model_copy(update=change)
    write_cascade(path, settings.model_copy(update={stage: other, "fitted": told}))
    with pytest.raises(ConfigError, match=said):
        Cascade(path)


def test_a_judge_calibrated_since_the_fit_is_another(made, monkeypatch):
    path, _ = made
    monkeypatch.setattr("ste_plugin.judge.judge.temperature_of", lambda *_: 2.0)
    with pytest.raises(ConfigError, match="another temperature of its probabilities"):
        Cascade(path)


def test_an_abstention_is_neutral_in_rewards_whatever_they_are_made_of(made):
    path, _ = made
    settings = read_cascade(path)
    asked = {"decision": settings.fitted.asked_as["decision"]}
    change = {"deepest": "decision", "threshold": 0.0, "asked_as": asked}
    alone = settings.fitted.model_copy(update=change)
    write_cascade(path, settings.model_copy(update={"fitted": alone}))
    row = pair_row(3)
    with RewardSettings(judge=str(path)).open_judge() as judge:
        (said,) = judge.compare_many([(row["prompt"], row["chosen"], row["rejected"])])
        for by in ("verdict", "probability"):
            reward = WinRate(judge, by=by)
            answers = [row["chosen"], row["rejected"]]
            assert reward([row["prompt"]] * 2, answers) == [0.5, 0.5]
    assert (said.verdict, said.probability, said.abstained) == (None, None, "orders differ")
    unsure = compared(path, [0])[0]
    assert (unsure.verdict, unsure.probability, unsure.abstained) == (None, None, "unsure")


def test_a_vote_stops_when_no_sample_can_change_it(made):
    path, engine = made
    settings = read_cascade(path)
    deep = settings.fitted.model_copy(update={"deepest": "vote", "threshold": 0.0})
    asked = {**deep.asked_as, "vote": {**deep.asked_as["reasoning"], "samples": 5}}
    asked["vote"] |= {"temperature": 0.7, "top_p": 0.9}
    deep = deep.model_copy(update={"asked_as": asked})
    write_cascade(path, settings.model_copy(update={"fitted": deep}))
    (found,) = compared(path, [15])  # reasons go by position; samples do not
    sampled = [r for r in engine.requests if r.sampling.temperature > 0]
    assert (found.stage, found.verdict) == ("vote", "A")
    assert len(sampled) == 2 * 3  # three of five agree


def test_a_judge_that_tells_no_probabilities_cannot_decide(tmp_path, monkeypatch):
    use_engine(monkeypatch, FakeEngine(StagedEngine().said))
    labels = fit_labels(write_pairs(tmp_path / "people.jsonl", map(pair_row, range(20))), None)
    with pytest.raises(ConfigError, match=r"tells no probabilities .* engine: decisions or local"):
        ask_all(open_stages(CascadeSettings.model_validate(JUDGES)), labels, "left out")


def test_a_fitted_cascade_on_an_engine_without_probabilities_is_refused(made, monkeypatch):
    path, _ = made
    use_engine(monkeypatch, FakeEngine(StagedEngine().said))
    with pytest.raises(ConfigError, match="tells no probabilities"):
        compared(path, range(4))


def test_a_decision_whose_letter_cannot_be_measured_is_passed_on_and_the_others_stay(made):
    path, engine = made
    settings = read_cascade(path)
    believed = settings.fitted.model_copy(update={"threshold": 1.0})
    write_cascade(path, settings.model_copy(update={"fitted": believed}))
    before = compared(path, range(12))
    measure = engine.choice_log_likelihoods

    def without_the_seventh(requests):
        asked = list(requests)
        if any(number_of(request) == 6 for request in asked):
            raise EngineError("no token of its own")
        return measure(asked)

    engine.choice_log_likelihoods = without_the_seventh
    after = compared(path, range(12))
    assert [c.stage for c in before if c.stage == "decision"] == ["decision"] * 9
    assert (before[6].stage, after[6].stage) == ("decision", "reasoning")
    others = [n for n in range(12) if n != 6]
    assert [after[n] for n in others] == [before[n] for n in others]


def test_a_folder_of_a_judge_is_found_from_the_file_s_own(tmp_path, monkeypatch, tiny_model):
    (tmp_path / "kept").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small").symlink_to(tiny_model)
    told = CascadeSettings.model_validate(JUDGES)
    write_cascade(tmp_path / "kept" / "cascade.json", told)
    kept = json.loads((tmp_path / "kept" / "cascade.json").read_text())
    assert (kept["decision"]["judge"], kept["reasoning"]["judge"]) == ("../small", "large")
    monkeypatch.chdir("/")
    found = read_cascade(tmp_path / "kept" / "cascade.json")
    assert found.decision.judge == str(tmp_path / "kept" / "../small")
    assert found.reasoning.judge == "large"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threshold": 7.0}, "fitted.threshold: found 7.0; expected 1 or less"),
        ({"threshold": float("nan")}, "fitted.threshold: found 'NaN'; expected 1 or less"),
        ({"asked_as": {}}, "does not say what the stage 'decision' was fitted for"),
    ],
)
def test_what_no_fit_writes_is_refused(made, change, said):
    path, _ = made
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "fitted": {**kept["fitted"], **change}}))
    with pytest.raises(ConfigError, match=said):
        Cascade(path)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.json", '{"decision": {', "c.json"),
        ("c.json", '{"judge": "m"}', "decision: missing"),
        ("c.yaml", "reasoning: {judge: m}\n", "decision: missing"),
        ("away.json", None, "away.json"),
    ],
)
def test_a_file_of_a_cascade_that_is_damaged_is_told_as_one(tmp_path, name, text, said):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        open_judge(tmp_path / name)
    assert "hub" not in str(caught.value)


def test_prompts_that_differ_in_blanks_alone_are_one(tmp_path):
    rows = [pair_row(n) | {"prompt": "Name a prime." + " " * n} for n in range(80)]
    labels = fit_labels(write_pairs(tmp_path / "people.jsonl", rows), None)
    with pytest.raises(Inconclusive, match="1 labelled prompts are too few"):
        require_enough(labels, Promise(0.1), 1)


def test_labels_that_all_tie_are_told_before_a_judge_is_asked(tmp_path):
    rows = [pair_row(n, labels={"ann": "tie"}) for n in range(80)]
    labels = fit_labels(write_pairs(tmp_path / "people.jsonl", rows), None)
    with pytest.raises(DataError, match="on none of 80 pairs does the label prefer one answer"):
        require_enough(labels, Promise(0.1), 1)
    require_enough(labels, Promise(0.1, ties="wrong"), 1)


def test_without_labels_a_run_s_test_pairs_are_taken_and_not_those_that_chose_its_judge(tmp_path):
    pool = tmp_path / "pool"
    pool.mkdir()
    files = {}
    for name, numbers in (("dev", range(9)), ("test", range(9, 20))):
        write_pairs(pool / f"{name}.jsonl", [pair_row(n, labels=None) for n in numbers])
        files[name] = f"{name}.jsonl"
    (pool / "done.json").write_text(json.dumps({"files": files}))
    found = fit_labels(None, tmp_path)
    assert (found.by, len(found.pairs)) == ("construction", 11)
    (pool / "done.json").write_text(json.dumps({"files": {"dev": "dev.jsonl"}}))
    with pytest.raises(DataError, match="no run with test pairs of its own. Those that chose"):
        fit_labels(None, tmp_path)


@pytest.mark.parametrize("category", ["subset", "category"])
def test_each_pair_is_asked_by_the_rubric_of_its_category(tmp_path, monkeypatch, category):
    engine = use_engine(monkeypatch, StagedEngine())
    rubric = tmp_path / "ours.yaml"
    rubric.write_text("like: brief\nrubric: {odd: Odd words., default: Other words.}\n")
    reasoning = JUDGES["reasoning"] | {"format": str(rubric)}
    settings = CascadeSettings.model_validate(JUDGES | {"reasoning": reasoning})
    kinds = [{category: ("even", "odd")[n % 2]} for n in range(120)]
    rows = [pair_row(n, **{"subset": "all"} | kind) for n, kind in enumerate(kinds)]
    labels = fit_labels(write_pairs(tmp_path / "people.jsonl", rows), None)
    stages = open_stages(settings)
    said = ask_all(stages, labels, "left out")
    assert rubrics(engine) == {(0, "Other"), (1, "Odd")}
    promise = Promise(0.3)
    found = fit(said, promise, len(settings.stages))
    told = fitted(found, promise, labels, stages, said)
    path = tmp_path / "cascade.json"
    write_cascade(path, settings.model_copy(update={"fitted": told}))
    engine.requests.clear()
    with Cascade(path) as judge:
        judge.compare_many([pair.shown_to(judge) for pair in labels.pairs])
        assert rubrics(engine) <= {(0, "Other"), (1, "Odd")}
        judge.compare(*labels.pairs[3][2:5], columns={"category": "odd"})


def rubrics(engine):
    """Whether a number is odd, and the first word of the rubric that its pair was judged by."""
    asked = [r for r in engine.requests if " words." in r.messages[-1].content]
    texts = [(number_of(r) % 2, r.messages[-1].content) for r in asked]
    return {(odd, text.split(" words.")[0].split()[-1]) for odd, text in texts}


@pytest.mark.parametrize("done", ['{"ok": true}', "[]", '{"files": []}'])
def test_another_tool_s_done_json_beside_labels_says_nothing(tmp_path, done):
    (tmp_path / "done.json").write_text(done)
    found = fit_labels(write_pairs(tmp_path / "people.jsonl", map(pair_row, range(3))), None)
    assert (found.by, len(found.pairs)) == ("people", 3)


def test_decisions_that_all_differ_between_the_orders_pass_every_pair_on(tmp_path, monkeypatch):
    use_engine(monkeypatch, StagedEngine())
    rows = map(pair_row, range(3, 400, 4))
    labels = fit_labels(write_pairs(tmp_path / "people.jsonl", rows), None)
    settings = CascadeSettings.model_validate(JUDGES)
    said = ask_all(open_stages(settings), labels, "left out")
    found = fit(said, Promise(0.10), len(settings.stages))
    assert {each.entropy for each in said} == {None}
    chosen = found.point_of(found.best)
    assert (chosen.by_stage["decision"], chosen.answered) == (0, 100)


def test_settings_beside_a_cascade_are_refused(made):
    path, _ = made
    with pytest.raises(ConfigError, match="says by itself how its judges are asked; found format"):
        open_judge(path, format="brief")


def test_labels_of_pairs_without_texts_are_of_other_pairs(tmp_path):
    label = {"rater": "ann", "kind": "pair", "pair_key": "k", "choice": "better"}
    write_pairs(tmp_path / "labels.jsonl", [label])
    with pytest.raises(DataError, match="none of its 1 pairs .* labels of other pairs"):
        fit_labels(tmp_path / "labels.jsonl", None)


def test_over_http_many_clients_at_once_get_what_the_cascade_itself_says(made):
    path, _ = made
    alone = compared(path, range(60))
    rows = [pair_row(n) for n in range(60)]
    with Cascade(path) as judge, served(judge) as (url, _), ThreadPoolExecutor(16) as clients:

        def asked(row):
            body = {"prompt": row["prompt"], "a": row["chosen"], "b": row["rejected"]}
            return httpx.post(f"{url}/v1/compare", json=body, timeout=120).json()

        answers = list(clients.map(asked, rows))
        about = httpx.get(f"{url}/v1/judge").json()
    assert about["promise"].startswith("With a chance of at least 95%")
    assert [v.partition("-")[0] for v in about["stages"].values()] == ["verdict", "brief", "brief"]
    told = [(a["verdict"], a["stage"], a["tokens"]["written"]) for a in answers]
    assert told == [(c.verdict, c.stage, c.tokens.written) for c in alone]
    assert {a["stage"] for a in answers} == {"decision", "reasoning", "vote"}


def a_run(folder, dev, test):
    """A run with these held-out pairs, by number."""
    pool = folder / "pool"
    pool.mkdir(parents=True)
    for name, numbers in (("dev", dev), ("test", test)):
        write_pairs(pool / f"{name}.jsonl", [pair_row(n, labels=None) for n in numbers])
    files = {"dev": "dev.jsonl", "test": "test.jsonl"}
    (pool / "done.json").write_text(json.dumps({"files": files}))
    return folder


def test_labels_of_a_review_promise_nothing_by_the_pairs_that_chose_the_judge(tmp_path):
    run = a_run(tmp_path / "run", range(9), range(9, 20))
    said = [
        {"rater": "ann", "kind": "pair", "pair_key": f"p{n}", "choice": "better"} for n in range(12)
    ]
    (run / "review").mkdir()
    labels = write_pairs(run / "review" / "labels.jsonl", said)
    found = fit_labels(labels, None)
    assert [pair.key for pair in found.pairs] == ["p9", "p10", "p11"]
    assert (found.by, found.chose_judge, found.without_texts) == ("people", 9, 0)
    for_a_temperature = fit_labels(labels, None, judges=None)
    assert (len(for_a_temperature.pairs), for_a_temperature.chose_judge) == (12, 0)
    write_pairs(labels, said[:9])
    with pytest.raises(DataError, match="9 pairs, all of them dev pairs of a run.*--split test"):
        fit_labels(labels, None)


def test_dev_pairs_of_a_run_promise_nothing_as_labels_and_test_pairs_do_by_construction(tmp_path):
    run = a_run(tmp_path / "run", range(9), range(9, 20))
    with pytest.raises(DataError, match="9 pairs, all of them dev pairs of a run"):
        fit_labels(run / "pool" / "dev.jsonl", None)
    found = fit_labels(run / "pool" / "test.jsonl", None)
    assert (found.by, len(found.pairs)) == ("construction", 11)


def test_dev_pairs_that_people_labelled_elsewhere_are_known_by_the_judge_s_run(tmp_path):
    run = a_run(tmp_path / "run", range(9), range(9, 20))
    labels = write_pairs(tmp_path / "people.jsonl", map(pair_row, range(12)))
    assert len(fit_labels(labels, None).pairs) == 12
    model = run / "iter-01" / "model"
    assert [p.key for p in fit_labels(labels, None, judges=[model]).pairs] == ["p9", "p10", "p11"]


BY_REFERENCE = """\
name: by-reference
turns:
  - template: |
      A right answer: {{ reference }}
      {{ instruction }}
      First: {{ answer_a }}
      Second: {{ answer_b }}
      ASKED
columns: [reference]
verdict: {marks: "[[{letter}]]"}
closing: "[["
after_letter: "]]"
"""
ASKED = {"decision": "Which one? [[A]] or [[B]].", "reasoning": "Say why: [[A]] or [[B]]."}


def by_reference(path, stage):
    """The file of a format whose prompts show the column `reference`."""
    path.write_text(BY_REFERENCE.replace("ASKED", ASKED[stage]))
    return str(path)


@pytest.mark.parametrize("stage", ["decision", "reasoning"])
def test_each_stage_is_shown_the_columns_of_its_own_format(tmp_path, monkeypatch, stage):
    engine = use_engine(monkeypatch, StagedEngine())
    judge = JUDGES[stage] | {"format": by_reference(tmp_path / "ours.yaml", stage)}
    settings = CascadeSettings.model_validate(JUDGES | {stage: judge})
    rows = [pair_row(n, reference=f"Reference {n}.") for n in range(120)]
    path = write_pairs(tmp_path / "people.jsonl", rows)
    stages = open_stages(settings)
    labels = fit_labels(path, None, keep=kept_by_all(formats_of(stages)))
    said = ask_all(stages, labels, "left out")
    assert shown_references(engine) == set(range(120))
    promise = Promise(0.3)
    told = fitted(fit(said, promise, 3), promise, labels, stages, said)
    deepest = told.model_copy(update={"deepest": "reasoning", "threshold": 0.0})
    del (known := asked_as(stages))["vote"]
    asked = {name: each._asdict() for name, each in known.items()}
    deepest = deepest.model_copy(update={"asked_as": asked})
    write_cascade(tmp_path / "c.json", settings.model_copy(update={"fitted": deepest}))
    engine.requests.clear()
    with Cascade(tmp_path / "c.json") as cascade:
        found = cascade.compare_many([pair.shown_to(cascade) for pair in labels.pairs[:8]])
    assert not any(each.problem for each in found)
    assert shown_references(engine) == set(range(8))


def shown_references(engine):
    """The numbers of the pairs that were shown with their own reference."""
    texts = [r.messages[-1].content for r in engine.requests]
    asked = [(number_of(r), text) for r, text in zip(engine.requests, texts, strict=True)]
    return {n for n, text in asked if f"A right answer: Reference {n}." in text}


def test_labels_without_a_column_that_a_format_shows_are_refused(tmp_path, monkeypatch):
    use_engine(monkeypatch, StagedEngine())
    form = by_reference(tmp_path / "ours.yaml", "decision")
    settings = CascadeSettings.model_validate({"decision": JUDGES["decision"] | {"format": form}})
    keep = kept_by_all(formats_of(open_stages(settings)))
    path = write_pairs(tmp_path / "people.jsonl", map(pair_row, range(3)))
    with pytest.raises(DataError, match="people.jsonl:1: no column 'reference'"):
        fit_labels(path, None, keep=keep)
