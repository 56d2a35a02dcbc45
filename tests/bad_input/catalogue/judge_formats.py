"""Judge formats as files: what is wrong with one, and where one does not fit."""

from tests.bad_input.catalogue.data_files import PAIR
from tests.bad_input.catalogue.row import TO_FIX, Row, lines, run_with

FORMAT = """\
name: ours
turns:
  - template: |
      {{ instruction }}
      First: {{ answer_a }}
      Second: {{ answer_b }}
verdict: {marks: "[[{letter}]]"}
"""
CHECK = "ste formats check ours.yaml"
FAULT = "ours.yaml: 1 setting(s) to fix:\n  "
HERE = "{tmp}/" + FAULT


def ours(old: str = "", new: str = "", more: str = "") -> dict[str, str]:
    """A format's file that is right but for this."""
    return {"ours.yaml": FORMAT.replace(old, new) + more}


ROWS = [
    Row(
        "a judge format's file that there is not",
        {},
        "ste formats check none.yaml",
        2,
        "{tmp}/none.yaml: no such file or directory; expected settings in YAML. "
        "docs/how-to/judge-formats.md has five.",
    ),
    Row(
        "a judge format that there is not, to be shown",
        {},
        "ste formats show breif",
        2,
        "ste formats: no 'breif'. Did you mean 'brief'? There are: brief, criteria, decision, "
        "plan, rating, verdict; a plugin can add more (see `ste plugins`).",
    ),
    Row(
        "a template that names a field that is none",
        ours("{{ instruction }}", "{{ instruktion }}"),
        CHECK,
        2,
        HERE + "turns.0.template: found {{ instruktion }}, which is no field; did you mean "
        "'instruction'? A column of the row has to be named in `columns`",
    ),
    Row(
        "a sample reply that is never read",
        ours(more='examples: [{reply: "It is the first.", verdict: first}]\n'),
        CHECK,
        2,
        HERE + "examples.0: read as none in 'It is the first.'; expected first. Correct `verdict`, "
        "which says how a reply is read, or the example",
    ),
    Row(
        "an expression with a backreference",
        ours('marks: "[[{letter}]]"', r"pattern: '(?P<letter>A|B) \1'"),
        CHECK,
        2,
        HERE + r"verdict.pattern: found '(?P<letter>A|B) \\1', which has a backreference (\1): "
        "that may backtrack for ever, and RE2, which reads it in linear time, has none; expected "
        "an expression of RE2. Say it with alternatives and named groups alone",
    ),
    Row(
        "two kinds of verdict",
        ours('marks: "[[{letter}]]"', 'marks: "[[{letter}]]", json: {letter: winner}'),
        CHECK,
        2,
        HERE + "verdict: found marks and json; expected one of marks, pattern and json. Keep the "
        "one by which its authors read it",
    ),
    Row(
        "two letters that are the same",
        ours(more="letters: [m, m]\n"),
        CHECK,
        2,
        HERE + "letters: found 'm' for two meanings; expected one that stands for nothing else. "
        "Change one of them",
    ),
    Row(
        "an unknown key of a judge format",
        ours(more="leters: [m, M]\n"),
        CHECK,
        2,
        HERE + "leters: unknown key; did you mean 'letters'?",
    ),
    Row(
        "a judge format's file of a run, with an answer that is not shown",
        run_with(judging="{format: ours.yaml}") | ours("First: {{ answer_a }}", "First:"),
        "ste run ste.yaml",
        2,
        HERE + "turns: found no {{ answer_a }}; expected it in one of the templates. Show it, or "
        "the judge never sees it",
    ),
    Row(
        "a judge format's file without its column in the pairs",
        {"pairs.jsonl": lines(PAIR)}
        | ours("{{ instruction }}", "{{ instruction }} {{ reference }}", "columns: [reference]\n"),
        "ste eval --model some/judge --data pairs.jsonl --format ours.yaml",
        3,
        "{tmp}/pairs.jsonl:1: no column 'reference'; found 'id', 'subset', 'prompt', 'chosen', "
        "'rejected'. Rename or add what is missing.",
    ),
    Row(
        "a verdict that is to be forced without closing words",
        {"pairs.jsonl": lines(PAIR)} | ours(),
        "ste eval --model some/judge --data pairs.jsonl --format ours.yaml --judge-args force=1",
        2,
        "STE_JUDGE_FORMAT (--format): ours has no closing words, so that no letter can be asked "
        "for; expected some for STE_JUDGE_FORCE and the mode `likelier`. Give its file `closing`, "
        "or leave them out.",
    ),
    Row(
        "a rubric for a judge format that has no place for one",
        run_with(judging="{format: ours.yaml, rubric: It is short.}") | ours(),
        "ste run ste.yaml",
        2,
        "judging.format: found a rubric for the format 'ours', whose prompt has no place for one; "
        "expected a format with {{ rubric }} in a template, or a built-in one. Show it there, or "
        "leave the rubric out.",
    ),
    Row(
        "a rubric that is a list",
        run_with(judging="{rubric: [It is short.]}"),
        "ste run ste.yaml",
        2,
        TO_FIX + "judging.rubric: found ['It is short.']; expected text (in quotes, if it looks "
        "like something else) or settings (key: value)",
    ),
]
