"""A format's file: what it makes of a format, and what is wrong with it, told by place and cure."""

import re
import subprocess
import sys

import pytest
import yaml

from ste_plugin.errors import ConfigError
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.judging.checking import format_problems
from ste_plugin.judging.written import format_of, read_format
from ste_plugin.judging.written.load import parse_format, with_rubric
from tests.helpers.documented_formats import PAGE, REPLIES, SHOWN, format_file

LETTERS = yaml.safe_load(SHOWN["letters"])
USER = LETTERS["turns"][1]["template"]


def made(content):
    return format_of(parse_format(content, "ours.yaml"), "ours.yaml")


def refused(content):
    with pytest.raises(ConfigError) as error:
        made(content)
    return str(error.value)


def turns(template):
    return [{"template": f"{USER}\n{template}"}]


@pytest.mark.parametrize("name", REPLIES)
def test_every_format_of_the_page_has_all_that_a_run_asks_of_one(tmp_path, name):
    judge_format = format_of(read_format(format_file(tmp_path, name)), name)
    assert format_problems(name, judge_format.for_row({"final_answer": "A pear."})) == []


@pytest.mark.parametrize(
    ("changed", "asks_anew"),
    [
        ({"max_new_tokens": 9}, False),
        ({"examples": []}, False),
        ({"sample": {"x": "y"}}, False),
        ({"turns": turns("Be brief.")}, True),
        ({"letters": ["A", "B"]}, False),
        ({"tie": "T", "examples": []}, True),
        ({"closing": "So: [["}, True),
        ({"verdict": {"marks": "[[{letter}]]", "take": "last"}, "examples": []}, True),
        ({"reasons": False}, True),
        ({"without_chat_template": "\n"}, True),
    ],
)
def test_the_version_is_a_hash_of_every_word_that_matters(changed, asks_anew):
    assert (made(LETTERS | changed).version != made(LETTERS).version) is asks_anew


def test_a_comment_changes_no_version():
    commented = yaml.safe_load("# another comment\n" + SHOWN["letters"])
    assert made(commented).version == made(LETTERS).version


def test_what_a_manifest_holds_of_a_format_makes_the_same_one():
    for name, text in SHOWN.items():
        if name in REPLIES:
            first = made(yaml.safe_load(text))
            assert made(first.definition).version == first.version


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"turns": turns("{{ instructon }}")},
            "turns.0.template: found {{ instructon }}, which is no field; did you mean "
            "'instruction'?",
        ),
        ({"turns": turns("{{ reference }}")}, "found {{ reference }}, which is no field; there"),
        ({"turns": turns("{{ range(9) }}")}, "line 12: found a call"),
        ({"turns": turns("{% set a = 1 %}")}, "found {% set %}"),
        ({"turns": turns("{{ 'a' * 9 }}")}, "found a calculation"),
        ({"turns": turns("{% include 'x' %}")}, "found {% include %}"),
        ({"turns": turns("{% for a in rubric %}{% for b in a %}{% endfor %}{% endfor %}")}, "loop"),
        ({"turns": turns("{{ instruction | tojson }}")}, "No filter named 'tojson'"),
        ({"turns": turns("{% if %}")}, "turns.0.template: line 12: found Expected an expression"),
        ({"turns": [{"template": "{{ instruction }} {{ answer_a }}"}]}, "found no {{ answer_b }}"),
        ({"letters": ["A", "A"]}, "letters: found 'A' for two meanings"),
        ({"tie": "A"}, "tie: found 'A' for two meanings"),
        ({"scale": ["A>B", "B>A"]}, "found tie: C beside a scale, which are two kinds of verdict"),
        ({"verdict": {"marks": "[[A]]"}}, "verdict.marks: found '[[A]]'; expected {letter} once"),
        (
            {"verdict": {"marks": "{letter}", "json": {"letter": "w"}}},
            "verdict: found marks and json; expected one of marks, pattern and json",
        ),
        ({"verdict": {}}, "verdict: found none of them; expected one of marks"),
        ({"verdict": {"mark": "x"}}, "verdict.mark: unknown key; did you mean 'marks'?"),
        ({"verdict": {"jsn": "x"}}, "verdict.jsn: unknown key; did you mean 'json'?"),
        ({"verdict": {"json": {"letter": "a", "first": "b"}}}, "found first, letter; expected"),
        ({"verdict": {"pattern": "(A|B)"}}, "with no named group; expected a group (?P<letter>"),
        ({"verdict": {"pattern": r"(?P<letter>A)\1"}}, "has a backreference"),
        ({"verdict": {"pattern": r"(?=x)(?P<letter>A)"}}, "has a lookahead"),
        ({"verdict": {"pattern": r"(?P<letter>A"}}, "RE2 refuses (missing )"),
        ({"templates": []}, "templates: unknown key"),
        ({"closing": "So: "}, "closing: with the letter A it makes 'So: A]]', in which `verdict`"),
        (
            {"examples": [{"reply": "It is A.", "verdict": "first"}]},
            "examples.0: read as none in 'It is A.'; expected first.",
        ),
        ({"like": "brief"}, "found like: brief with after_letter, closing, examples"),
        ({"rubric": "It is short."}, "turns: found no {{ rubric }} beside a rubric"),
        ({"letters": [True, "B"]}, "letters.0: found True; expected text"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_by_place_and_cure(changed, told):
    kept = {"like": LETTERS} if "like" in changed else {}
    base = LETTERS if not kept else {k: v for k, v in LETTERS.items() if k != "name"}
    extra = {"after_letter": "]]"} if "closing" in changed else {}
    message = refused(base | changed | extra)
    assert message.startswith("ours.yaml: ")
    assert told in message
    assert re.search(
        r"[A-Z][a-z]+ .*$|did you mean|there are|remove the key|looks like something", message
    )


def test_the_wording_of_a_package_is_taken_as_the_page_shows(tmp_path):
    (tmp_path / "rewardbench").mkdir()
    (tmp_path / "rewardbench/__init__.py").write_text("import what_is_not_installed\n")
    (tmp_path / "rewardbench/generative.py").write_text(
        "import anthropic\nfrom google.generativeai.types import HarmCategory\n"
        'MTBENCH_V2 = {"system_prompt": "Judge both.", "prompt_template": '
        '"[Q]\\n{question}\\n[A]\\n{answer_a}\\n[B]\\n{answer_b}\\n[End]"}\n'
    )
    (tmp_path / "write_format.py").write_text(
        re.search(r"```python\n# write_format.py\n(.*?)```", PAGE, re.DOTALL)[1]
    )
    command = [sys.executable, "write_format.py", "pair.yaml"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    judge_format = format_of(read_format(tmp_path / "pair.yaml"), "pair.yaml")
    assert [turn.content for turn in judge_format.render("i", "a", "b")] == [
        "Judge both.",
        "[Q]\ni\n[A]\na\n[B]\nb\n[End]",
    ]


def test_a_template_reaches_nothing_of_python():
    reaches = made(LETTERS | {"turns": turns("{{ instruction.__class__ }}")})
    with pytest.raises(ConfigError, match="access to attribute '__class__' of 'str' object is uns"):
        reaches.render("i", "a", "b")


def test_a_closing_before_two_scores_is_refused():
    scores = yaml.safe_load(SHOWN["scores"]) | {"closing": "Scores: "}
    assert "closing: found 'Scores: ' before two scores" in refused(scores)


def test_a_rubric_of_somebodys_own_is_a_part_of_the_prompt_and_of_the_version():
    brief = FORMATS["brief"]
    own = with_rubric(brief, "It cites the manual.", "judging.rubric")
    assert "It cites the manual." in own.render("i", "a", "b")[0].content
    assert own.version != brief.version
    assert own.name == brief.name
    assert format_problems("brief", own) == []


def test_a_rubric_stands_where_a_file_shows_it():
    shows = made(LETTERS | {"turns": turns("It counts that {{ rubric }}")})
    own = with_rubric(shows, "it is short", "judging.rubric")
    assert own.render("i", "a", "b")[0].content.endswith("It counts that it is short")
    with pytest.raises(ConfigError, match="whose prompt has no place for one"):
        with_rubric(made(LETTERS), "it is short", "judging.rubric")


def test_code_in_brackets_is_shown_as_it_is_beside_a_formats_own_verdicts():
    shown = made(LETTERS).render("i", "x[[b]] <- m[[Area]]; [[ A ]]", "b")[1].content
    assert "x[[b]] <- m[[Area]]; (( A ))" in shown


def test_a_category_without_a_rubric_is_told():
    own = with_rubric(FORMATS["brief"], {"coding": "It runs."}, "judging.rubric")
    assert "It runs." in own.for_row({"category": "coding"}).render("i", "a", "b")[0].content
    with pytest.raises(ConfigError, match=r"none for the category 'sport'; there are: coding\."):
        own.for_row({"category": "sport"})


def test_a_column_may_be_a_list_of_turns_whose_words_cannot_speak_for_the_judge():
    earlier = "{% for turn in history %}{{ turn.role }}: {{ turn.content }}\n{% endfor %}"
    own = made(LETTERS | {"turns": turns(earlier), "columns": ["history"]})
    history = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "[[A]]"}]
    text = own.for_row({"history": history}).render("i", "a", "b")[0].content
    assert text.endswith("user: Hello.\nassistant: ((A))\n")
    with pytest.raises(ConfigError, match="a template cannot show this row"):
        own.for_row({"history": ["Hello."]}).render("i", "a", "b")
