"""Plain lm-eval's results and samples say how they were made, and judges are compared by it."""

import json

import pytest

from ste_plugin.errors import DataError
from ste_plugin.evaluation.compare import compare
from ste_plugin.evaluation.judges import evaluations_at
from ste_plugin.judging.builtin import VERDICT
from tests.helpers.scripted_judge import (
    PAIRS,
    evaluated_by_lm_eval,
    pair,
    scripted,
    written,
)

ROWS = [pair(f"p{i}") for i in range(40)]


def knows(prompt):
    return "[[A]]" if prompt.index("Good") < prompt.index("Bad") else "[[B]]"


def always_a(_):
    return "[[A]]"


def found(tmp_path, rows=PAIRS, reply=always_a, **settings):
    """What lm-eval returns of one judge on these pairs."""
    return evaluated_by_lm_eval(
        scripted(reply), written(tmp_path / "pairs.jsonl", rows), **settings
    )


def logged(folder, tmp_path, rows=ROWS, reply=always_a, **settings):
    """The folder of samples that one judge leaves."""
    samples = found(tmp_path, rows, reply, **settings)["samples"]["ste_local"]
    folder.mkdir()
    written(folder / "samples_ste_local_2026-01-01T00-00-00.000000.jsonl", samples)
    return folder


def test_results_and_samples_of_plain_lm_eval_say_how_they_were_made(tmp_path):
    asked = {"votes": 3, "max_new_tokens": 7, "chat_template_kwargs": {"enable_thinking": False}}
    told = found(tmp_path, lm_eval_settings={"gen_kwargs": {"temperature": 0.3}}, **asked)
    how = json.loads(json.dumps(told["configs"]["ste_local"]["metadata"]))["ste_judge"]
    assert how["settings"].items() >= {**asked, "mode": "verdict", "force": False}.items()
    assert (how["judge_format"], how["data"]) == (VERDICT.version, str(tmp_path / "pairs.jsonl"))
    assert len(how["data_sha256"]) == len(how["pairs_sha256"]) == 64
    assert how["generation_kwargs"].items() >= {"temperature": 0.3, "max_gen_toks": 7}.items()
    assert how["task_version"] == told["versions"]["ste_local"]
    assert "ste_plugin" in how
    assert [s["judged"]["how"] for s in told["samples"]["ste_local"]] == [how] * len(PAIRS)


def test_samples_say_where_a_judge_was_asked_otherwise_than_it_was_trained(tmp_path):
    bare = found(tmp_path, chat=False)
    told = found(tmp_path, lm_eval_settings={"system_instruction": "Say A."})
    as_trained = found(tmp_path)
    bare, told, as_trained = (
        each["samples"]["ste_local"][0]["judged"]["how"] for each in (bare, told, as_trained)
    )
    assert bare == as_trained | {"apply_chat_template": False}
    assert told == as_trained | {"system_instruction": "Say A."}


def test_official_and_both_orders_differ_in_what_the_results_say_of_their_mode(tmp_path):
    modes = {
        mode: found(tmp_path, mode=mode)["configs"]["ste_local"]["metadata"]["ste_judge"]
        for mode in ("verdict", "official")
    }
    assert {mode: how["settings"]["mode"] for mode, how in modes.items()} == {
        mode: mode for mode in modes
    }


def test_samples_hold_the_verdicts_in_words(tmp_path):
    def reply(prompt):
        return "[[A]]" if prompt.index("Good") < prompt.index("Bad") else "who knows"

    told = found(tmp_path, rows=[pair("p0")], reply=reply, votes=3)
    (sample,) = told["samples"]["ste_local"]
    assert sample["judged"]["verdicts"] == [
        {
            "chosen_shown_as": "A",
            "verdict": "A",
            "prefers": "chosen",
            "forced": False,
            "samples": ["A", "A"],
        },
        {
            "chosen_shown_as": "B",
            "verdict": "none",
            "prefers": "none",
            "forced": False,
            "samples": ["none", "none", "none"],
        },
    ]
    assert told["results"]["ste_local"]["judged,none"] == "1 A, 1 none"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"rows": [pair(f"q{i}") for i in range(40)]}, "pairs"),
        ({"judge_format": "brief"}, "judge format verdict-d8e418b5 against brief-7a1c1ebd"),
        ({"limit": 20}, "limit None against 20"),
        ({"mode": "official"}, "mode verdict against official"),
        ({"lm_eval_settings": {"limit": 5}}, "pairs"),
    ],
)
def test_samples_that_are_not_the_same_measurement_are_refused_naming_it(tmp_path, changed, told):
    one = logged(tmp_path / "one", tmp_path)
    other = logged(tmp_path / "other", tmp_path, **changed)
    with pytest.raises(DataError, match=f"not the same .*{told}"):
        compare(one, other)


def test_samples_that_do_not_say_their_mode_are_told_by_the_orders_they_show(tmp_path):
    folders = [
        logged(tmp_path / mode, tmp_path, mode=mode, reply=knows)
        for mode in ("verdict", "official")
    ]
    for folder in folders:
        (file,) = folder.iterdir()
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        written(file, [{k: v for k, v in row.items() if k != "judged"} for row in rows])
    with pytest.raises(DataError, match="not the same orders shown both against one"):
        compare(*folders)


def test_nothing_is_called_right_in_both_orders_that_was_shown_in_one(tmp_path):
    folders = [
        logged(tmp_path / name, tmp_path, mode="official", reply=reply)
        for name, reply in (("a", always_a), ("knows", knows))
    ]
    done, _ = compare(*folders)
    told = done["ste_local"].sentence()
    assert "More than noise: the second judge is right more often" in told
    assert "both orders" not in told


def test_another_number_of_votes_is_compared_and_told(tmp_path):
    greedy = logged(tmp_path / "greedy", tmp_path)
    voted = logged(tmp_path / "voted", tmp_path, votes=3, chat_template_kwargs={"a": 1})
    done, refused = compare(greedy, voted)
    assert refused == {}
    assert "They were measured differently: votes 1 against 3;" in done["ste_local"].sentence()
    assert "chat_template_kwargs None against {'a': 1}" in done["ste_local"].sentence()


def test_a_folder_of_samples_is_known_by_what_they_say(tmp_path):
    folder = logged(tmp_path / "one", tmp_path, force=True)
    assert evaluations_at(folder)["ste_local"].results["settings"]["force"] is True
