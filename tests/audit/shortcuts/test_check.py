"""A planted shortcut is found with its figure and its cure; honest pairs pass."""

import json

import pytest
from msgspec.structs import replace

from ste_plugin.audit.run_audit import audit_run
from ste_plugin.audit.shortcuts import check as checks
from ste_plugin.audit.shortcuts import sample as samples
from ste_plugin.audit.shortcuts.sample import sample_pool
from ste_plugin.errors import ConfigError
from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from tests.helpers.fake_runs import written
from tests.helpers.planted_pairs import honest, keyed, longer, opening, planted, run_of

FORM, WORDS, ALL = "length and format", "words", "length, format and words"


def findings_of(folder, pairs, **more):
    """(name, subject) → the finding of a run that has these pairs and was not trained."""
    with open_run(run_of(folder, pairs, **more), [], quiet=True) as context:
        found = audit_run(context, 0, ["shortcuts"])
    return {(finding.name, finding.subject): finding for finding in found}


def test_honest_pairs_pass(tmp_path):
    found = findings_of(tmp_path, planted(honest))
    assert set(found) == {(name, "modified-instruction") for name in (FORM, WORDS, ALL)}
    for finding in found.values():
        assert not finding.failed
        assert finding.interval[0] < 0.5 < finding.interval[1]
        assert finding.threshold == 0.7


def test_a_better_answer_that_is_longer_fails_on_its_length_and_not_on_its_words(tmp_path):
    found = findings_of(tmp_path, planted(longer(0.9)))
    form, words = (found[name, "modified-instruction"] for name in (FORM, WORDS))
    assert form.failed
    assert form.figure > 0.85
    assert form.interval[0] > 0.7
    assert "it is longer in 8" in form.words or "it is longer in 9" in form.words
    assert form.cure.startswith("Set dataset.match: [length], which keeps ")
    assert not words.failed


def test_what_it_is_held_to_is_set_in_the_config(tmp_path):
    pairs = planted(longer(0.9))
    strict, lax = (
        findings_of(tmp_path / str(most), pairs, audit={"shortcuts": most})[
            FORM, "modified-instruction"
        ]
        for most in (0.5, 0.95)
    )
    assert (strict.failed, strict.threshold) == (True, 0.5)
    assert (lax.failed, lax.threshold) == (False, 0.95)


@pytest.mark.parametrize("each", [1, 3])
def test_honest_pairs_fail_in_none_of_10_sets(tmp_path, each):
    """Chance alone would have an interval above 0.7 far more rarely than once in 40 figures."""
    for seed in range(10):
        pairs = planted(honest, count=60 * each, seed=seed, each=each)
        assert not any(f.failed for f in findings_of(tmp_path / str(seed), pairs).values())


def test_a_better_answer_that_is_mostly_shorter_fails_and_is_cured_alike(tmp_path):
    form = findings_of(tmp_path, planted(longer(0.05)))[FORM, "modified-instruction"]
    assert form.failed
    assert "(shorter in 9" in form.words
    assert "dataset.match: [length]" in form.cure


def test_where_lengths_are_matched_already_something_else_is_advised(tmp_path):
    dataset = {"dev_fraction": 0.1, "test_fraction": 0.1, "match": ["length"]}
    form = findings_of(tmp_path, planted(longer(0.9)), dataset=dataset)[
        FORM, "modified-instruction"
    ]
    assert form.cure.startswith("Have both answers written alike")


def test_an_opener_of_better_answers_fails_on_their_words_and_is_quoted(tmp_path):
    found = findings_of(tmp_path, planted(opening("Sure,", 0.97, 0.03)))
    words = found[WORDS, "modified-instruction"]
    assert words.failed
    assert words.figure > 0.95
    assert "it begins with “sure” in 9" in words.words
    assert "“sure”" in words.words.partition("Most typical of the better one:")[2]
    assert words.cure


def test_a_thought_before_better_answers_is_a_matter_of_form(tmp_path):
    fault = opening("<think>Which of them?</think>", 1.0, 0.0)
    form = findings_of(tmp_path, planted(fault))[FORM, "modified-instruction"]
    assert form.failed
    assert "begins with a thought in 100% (the worse in 0%)" in form.words
    assert form.cure.startswith("Have both answers written alike")


def test_one_strategy_that_fails_is_told_from_one_that_does_not(tmp_path):
    pairs = [
        *planted(longer(0.95), strategy="ask-for-worse"),
        *planted(honest, strategy="modified-instruction"),
    ]
    found = findings_of(tmp_path, pairs)
    assert found[FORM, "ask-for-worse"].failed
    assert not found[FORM, "modified-instruction"].failed
    assert found[FORM, "every strategy"].n == sum(
        found[FORM, name].n for name in ("ask-for-worse", "modified-instruction")
    )


def test_a_strategy_that_dresses_its_worse_answers_up_counts_only_together_with_others(tmp_path):
    pairs = [
        *planted(longer(0.0), strategy="padded-worse"),
        *planted(longer(1.0), strategy="ask-for-worse"),
    ]
    found = findings_of(tmp_path, pairs)
    padded = found[FORM, "padded-worse"]
    assert padded.figure > 0.95
    assert padded.threshold is None
    assert "dressed up on purpose" in padded.words
    assert found[FORM, "ask-for-worse"].failed
    assert not found[FORM, "every strategy"].failed


def test_answers_that_are_better_here_and_worse_there_give_nothing_away(tmp_path):
    """As of `other-instruction`: each answer is that of another instruction as well."""
    pairs = planted(honest, strategy="other-instruction")
    turned = [
        keyed(replace(pair, worse=other.better))
        for pair, other in zip(pairs, pairs[1:] + pairs[:1], strict=True)
    ]
    for finding in findings_of(tmp_path, turned).values():
        assert finding.interval[0] < 0.5 < finding.interval[1]


def test_worse_answers_that_are_better_ones_elsewhere_are_not_known_by_being_there_twice(tmp_path):
    """Their rarest words are in two pairs, those of other answers in one."""

    def with_a_word_of_its_own(draw, better, worse):
        return " ".join([*better, f"w{draw.random()}"]), " ".join(worse)

    pairs = planted(with_a_word_of_its_own, strategy="other-instruction", count=400)
    half = len(pairs) // 2
    turned = [
        keyed(replace(pair, worse=pairs[(n * 7 + 1) % half].better)) for n, pair in enumerate(pairs)
    ]
    words = findings_of(tmp_path, turned)[WORDS, "other-instruction"]
    assert words.interval[0] < 0.5 < words.interval[1]


def test_one_phrase_that_many_worse_answers_are_is_found_though_it_is_once_right(tmp_path):
    def refuse(draw, better, _worse):
        return (
            ("I do not know.", "Nor I.")
            if draw.random() < 0.01
            else (" ".join(better), "I do not know.")
        )

    words = findings_of(tmp_path, planted(refuse))[WORDS, "modified-instruction"]
    assert words.failed


def test_too_few_instructions_give_no_figure(tmp_path):
    (finding,) = findings_of(tmp_path, planted(longer(1.0), count=40)).values()
    assert finding.undecided
    assert not finding.failed
    assert "at least 40 are needed" in finding.words


def test_pairs_of_few_instructions_are_too_few_however_many_they_are(tmp_path):
    (finding,) = findings_of(tmp_path, planted(longer(1.0), count=300, each=20)).values()
    assert finding.undecided


def test_the_same_run_is_found_the_same_again(tmp_path):
    pairs = planted(opening("Well,", 0.6, 0.3))
    assert findings_of(tmp_path / "a", pairs) == findings_of(tmp_path / "b", pairs)


def test_of_many_pairs_a_sample_is_examined_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "MAX_PAIRS", 100)
    form = findings_of(tmp_path, planted(honest))[FORM, "modified-instruction"]
    assert form.n == 100
    assert "A sample of 100 of 2" in form.words


def test_all_pairs_of_an_instruction_are_in_a_sample_or_none(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "MAX_PAIRS", 100)
    with open_run(run_of(tmp_path, planted(honest, each=3)), [], quiet=True) as context:
        pairs = sample_pool(context).pairs
    counts = {
        key: sum(p.instruction_key == key for p in pairs)
        for key in {p.instruction_key for p in pairs}
    }
    assert set(counts.values()) == {3}


def test_the_signs_are_kept_beside_the_findings_by_iteration(tmp_path):
    findings_of(tmp_path, planted(opening()))
    kept = json.loads((tmp_path / "run/audit/shortcuts.json").read_text())
    signs = [sign for sign in kept["0"]["modified-instruction"]["giveaways"] if not sign["is_form"]]
    assert signs[0]["sign"] == "begins with “sure”"
    assert signs[0]["looked_at"] > len(signs)


def test_what_was_trained_on_is_held_to_the_threshold_and_the_pool_only_told(
    tiny_model, tmp_path, monkeypatch
):
    path = written(tmp_path, tiny_model, texts=120)
    with open_run(path, [], quiet=True) as context:
        stages.generate(context, 1)
        rows = count_rows(context)
        found = audit_run(context, 1, ["shortcuts"])
        monkeypatch.setattr(checks, "_MANY_MORE", 0.5)
        told = audit_run(context, 1, ["shortcuts"])
    assert max(finding.n for finding in found) == rows
    of_pool = [finding for finding in told if finding.subject == "all pairs of the pool"]
    assert [finding.threshold for finding in of_pool] == [None] * 3
    assert not any(finding.failed for finding in of_pool)


def count_rows(context):
    manifest = json.loads((context.folder.iteration(1) / "dataset/manifest.json").read_text())
    path = context.folder.iteration(1) / "dataset" / manifest["files"]["sft-train"]["path"]
    return len({json.loads(line)["pair"] for line in path.read_text().splitlines()})


def test_a_run_without_pairs_is_undecided(tmp_path):
    path = run_of(tmp_path, planted())
    (tmp_path / "run/pool/done.json").unlink()
    with open_run(path, [], quiet=True) as context:
        (finding,) = audit_run(context, 0, ["shortcuts"])
    assert finding.undecided
    assert "no pairs there yet" in finding.words


def test_without_its_library_the_check_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'ste-plugin\[audit\]'"):
        findings_of(tmp_path, planted())
