"""Runs that cannot be reviewed, and labels that are not a run's."""

from tests.bad_input.catalogue.row import Files, Row, lines, started

PAIR = {
    "key": "0123456789abcdef",
    "instruction_key": "i",
    "instruction": "Name a fruit.",
    "better": "An apple.",
    "worse": "A spade.",
    "strategy": "other-instruction",
}
RUN = started() | {"run/pool/done.json": "{}", "run/pool/pairs.jsonl": lines(PAIR)}
ROW_KEY = "0123456789abcdef-d6a8b91b"
IMPORT = "ste review run --import labels.csv"


def given(*rows: str) -> Files:
    """A run, and labels as CSV."""
    return RUN | {"labels.csv": "".join(f"{row}\n" for row in rows)}


ROWS = [
    Row(
        "a review of what is no run",
        {"run": None},
        "ste review run",
        2,
        "run: neither a run's folder (no run.yaml in it) nor a config. Give one of them.",
    ),
    Row(
        "a review of a run without pairs",
        started(),
        "ste review run",
        3,
        "run: no pairs to look at yet. `ste run` makes them: its pool must be done.",
    ),
    Row(
        "a review of judgments that are not there",
        RUN,
        "ste review run --judgments --rater ann",
        3,
        "run: no judgments with reasoning. Those of the format `verdict` have none; others come "
        "with `ste run`, once it has judged the pairs.",
    ),
    Row(
        "a review of a split without pairs",
        RUN,
        "ste review run --split test --rater ann",
        3,
        "run: no pairs in test. Give another --split, or none: then it is the held-out pairs, or "
        "train where none are held out.",
    ),
    Row(
        "a review of a split that there is none of",
        RUN,
        "ste review run --split valid --rater ann",
        2,
        "--split valid: expected one of train, dev, test, held-out, all.",
    ),
    Row(
        "a rater's name that is a formula",
        RUN,
        "ste review run --rater =1+1",
        2,
        "--rater '=1+1': expected a name of up to 100 letters, digits, spaces and .,@+'-, the "
        "first of them a letter or digit.",
    ),
    Row(
        "a sample over a file that is there",
        given("key"),
        "ste review run --export labels.csv --rater ann",
        2,
        "--export labels.csv: exists already, maybe with labels. Give another name.",
    ),
    Row(
        "a CSV file of labels that is not there",
        RUN,
        IMPORT,
        3,
        "labels.csv: cannot be read (No such file or directory).",
    ),
    Row(
        "labels with other columns",
        given("prompt,winner", "a,1"),
        IMPORT,
        3,
        "labels.csv:1: no column 'key'; found prompt, winner. Name it: --column key=COLUMN.",
    ),
    Row(
        "another rater's labels",
        given("key,choice,rater", f"{ROW_KEY},1,ben"),
        f"{IMPORT} --rater dora",
        3,
        "labels.csv:2: rater 'ben', but --rater dora. Leave --rater out, as the file names its "
        "raters, or correct the row.\nNo label was taken over.",
    ),
    Row(
        "a column that is none of ours",
        given("key,winner", f"{ROW_KEY},1"),
        f"{IMPORT} --column winner=choice",
        2,
        "--column winner=choice: expected OURS=THEIRS, once for each, with OURS one of key, "
        "choice, rater.",
    ),
    Row(
        "CSV with labels of other pairs",
        given("key,choice,rater", "aaaaaaaaaaaaaaaa-00000000,1,ann"),
        IMPORT,
        3,
        "labels.csv:2: key 'aaaaaaaaaaaaaaaa-00000000' is none of this run's pairs. Give the run "
        "that the file was exported from, and --judgments if it holds judgments.\nNo label was "
        "taken over.",
    ),
    Row(
        "two raters of one name",
        given("key,choice,rater", f"{ROW_KEY},1,ann", f"{ROW_KEY},2,ann"),
        IMPORT,
        3,
        "labels.csv:3: ann labels this pair as worse, but as better in line 2. Two people need "
        "two names; of one person's labels leave one.\nNo label was taken over.",
    ),
    Row(
        "a file of labels that was changed",
        RUN | {"run/review/labels.jsonl": '{"rater": "ann"}\n'},
        "ste review run --rater ann",
        3,
        "run/review/labels.jsonl:1: not a Label (Object missing required field `kind`). Fix or "
        "remove the line; labels cannot be made again, so keep a copy of the file.",
    ),
]
