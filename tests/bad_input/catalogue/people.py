"""People's labels: of a run, or in a file of one's own."""

from tests.bad_input.catalogue.row import Files, Row, lines, run_with, started

PAIR = {"id": "p", "prompt": "Why?", "chosen": "Because.", "rejected": "No."}
LABEL = {"rater": "ann", "kind": "pair", "pair_key": "k", "choice": "better"}
RUN = run_with() | started() | {"run/pool/done.json": "{}", "run/pool/pairs.jsonl": ""}
RESPONSES = {
    "key": "k",
    "instruction_key": "i",
    "instruction": "Why?",
    "better": "Because.",
    "worse": "No.",
    "strategy": "other-instruction",
}
MEASURED = {
    "run/review/labels.jsonl": lines(LABEL),
    "run/iter-00/eval/test/results.json": "{}",
    "run/iter-00/eval/test/judged.jsonl": "",
}


def judged(key: str = "p", **more: object) -> Files:
    """An evaluation of a judge on one pair."""
    row = {
        "id": key,
        "subset": "s",
        "prompt": "Why?",
        **{f"{name}_{letter}": None for name in ("verdict", "forced") for letter in "ab"},
        **{f"samples_{letter}": ["A"] for letter in "ab"},
        **{f"log_odds_{letter}": None for letter in "ab"},
        "verdict_a": "A",
        "verdict_b": "B",
        "chosen_chars": 8,
        "rejected_chars": 3,
        "section": "",
        "weight": 1.0,
        "votes": [1, 0, 0],
        "asked": 1,
        "reply_chars": 9,
        "shown": ["A", "B"],
        "fits": True,
    }
    results = {"model": "some/judge", "judge_format": "brief-12ab34cd"}
    return {"mine/judged.jsonl": lines(row | more), "mine/results.json": lines(results)}


def people(*rows: dict) -> Files:
    """A judged pair, and a file of people's labels."""
    return judged() | {"people.jsonl": lines(*rows)}


AUDIT = "ste audit mine --labels people.jsonl"

ROWS = [
    Row(
        "a judge that is not there",
        people(PAIR),
        "ste audit gone --labels people.jsonl",
        3,
        "gone: no such file or folder; expected a run, an iteration, or what `ste eval` wrote. "
        "Measure the judge on these pairs first, then name evaluations/labels-gone:\n"
        "  ste eval --model gone --data people.jsonl --out evaluations/labels-gone",
    ),
    Row(
        "labels that are not there",
        judged(),
        AUDIT,
        3,
        "people.jsonl: no such file. --labels is a file of pairs that people labelled, or "
        "review/labels.jsonl of a run.",
    ),
    Row(
        "labels of other pairs",
        people(PAIR | {"id": "q"}),
        AUDIT,
        3,
        "mine: none of the pairs of people.jsonl is among those that this judge was measured on "
        "(mine). Measure the judge on these pairs first, then name evaluations/labels-judge:\n"
        "  ste eval --model some/judge --data people.jsonl --format brief --out "
        "evaluations/labels-judge",
    ),
    Row(
        "labels of a review of other pairs",
        people(LABEL),
        AUDIT,
        3,
        "mine: none of the pairs of people.jsonl is among those that this judge was measured on "
        "(mine). people.jsonl has no texts, and none of its pairs is a held-out one of the run "
        "around it: label some of those, `ste review RUN --split test`.",
    ),
    Row(
        "labels of a review that are all of pairs that chose the judge",
        people(LABEL)
        | {
            "run/review/labels.jsonl": lines(LABEL),
            "run/pool/dev-1.jsonl": lines({"id": "k"}),
            "run/pool/done.json": lines({"files": {"dev": "dev-1.jsonl"}}),
        },
        "ste audit mine --labels run/review/labels.jsonl",
        3,
        "run/review/labels.jsonl: 1 pairs, all of them dev pairs of a run, which chose its judge "
        "and its temperature: nothing can be promised by them, whoever labelled them. Label its "
        "test pairs, `ste review RUN --split test`, or give other pairs that people labelled.",
    ),
    Row(
        "another pair of the same id",
        people(PAIR | {"prompt": "How?"}),
        AUDIT,
        3,
        "people.jsonl: pair 'p' has other texts than the pair of that id that the judge was "
        "measured on. Measure it on this file, or give these pairs ids of their own.",
    ),
    Row(
        "two rows of one pair",
        people(PAIR, PAIR),
        AUDIT,
        3,
        "people.jsonl:2: id 'p' was already at people.jsonl:1. Give every pair one row, and what "
        "several people said in its column `labels`.",
    ),
    Row(
        "votes that are no counts",
        people(PAIR | {"votes": [2, 1]}),
        AUDIT,
        3,
        "people.jsonl:1: 'votes' is '[2, 1]'; expected as [2, 1, 0]: how many said chosen, "
        "rejected, tie. Correct it or remove the row.",
    ),
    Row(
        "a label in words of one's own",
        people(PAIR | {"labels": {"ann": "first"}}),
        AUDIT,
        3,
        "people.jsonl:1: 'labels' is \"{'ann': 'first'}\"; expected as "
        '{"ann": "chosen", "ben": "tie"}: what each said, chosen, rejected or tie. Correct it or '
        "remove the row.",
    ),
    Row(
        "people who are divided on every pair",
        people(PAIR | {"votes": [1, 1, 0]}),
        AUDIT,
        3,
        "people.jsonl: on none of the 1 pairs that the judge was asked about do most people prefer "
        "one answer, so that nobody can be right about them. Label more.",
    ),
    Row(
        "one label a pair to measure people's agreement by",
        people(PAIR),
        f"{AUDIT} --of-people 0.9",
        3,
        "people.jsonl: none of the 1 pairs that the judge was asked about has labels by two "
        "people, so that nothing is known of how far people agree. Have a second person label "
        "them, or leave --of-people out.",
    ),
    Row(
        "a share in percent",
        people(PAIR),
        f"{AUDIT} --at-least 80",
        2,
        "ste audit: --at-least 80; expected a share such as 0.8 (80%), below 1.",
    ),
    Row(
        "two things asked of a judge",
        people(PAIR),
        f"{AUDIT} --at-least 0.8 --of-people 0.9",
        2,
        "ste audit: found --at-least and --of-people; expected one of them.",
    ),
    Row(
        "a threshold without labels",
        RUN,
        "ste audit run --at-least 0.8",
        2,
        "ste audit: found --at-least without --labels. Give the labels, too.",
    ),
    Row(
        "one check and labels",
        people(PAIR),
        f"{AUDIT} --only probes",
        2,
        "ste audit: found --labels and --only; expected one of them: labels answer a question of "
        "their own.",
    ),
    Row(
        "agreement where nobody has labelled anything",
        RUN,
        "ste agreement run",
        3,
        "run/review/labels.jsonl: nobody has labelled anything yet. `ste review` shows the pairs.",
    ),
    Row(
        "agreement of labels of another run",
        RUN | {"run/review/labels.jsonl": lines(LABEL)},
        "ste agreement run",
        3,
        "run/review/labels.jsonl: 1 labels, none of a pair of this run. Labels belong to the pairs "
        "that people saw: has the run been made anew, or is the file another run's?",
    ),
    Row(
        "a damaged file of labels",
        RUN | {"run/review/labels.jsonl": '{"rater": "ann"}\n'},
        "ste agreement run",
        3,
        "run/review/labels.jsonl:1: not a Label (Object missing required field `kind`). Fix or "
        "remove the line; labels cannot be made again, so keep a copy of the file.",
    ),
    Row(
        "agreement with a judge that was not measured",
        RUN | MEASURED | {"run/pool/pairs.jsonl": lines(RESPONSES)},
        "ste agreement run --iteration 3",
        3,
        "run: the judge of iteration 3 was not measured; those of 0 were.",
    ),
    Row(
        "reviewed pairs that are neither kept nor dropped",
        run_with(dataset="{reviewed: yes}"),
        "ste generate ste.yaml",
        2,
        "ste.yaml: 1 setting(s) to fix:\n  dataset.reviewed: found True; expected 'keep' or 'drop'",
    ),
]
