"""Files for servers that answer files, and parts for the jobs of an array."""

from tests.bad_input.catalogue.row import Row, lines, run_with, served

RUN = run_with(judge=served(base_url="http://127.0.0.1:9/v1"))
IMPORT = "ste completions import ste.yaml answers.jsonl"


def given(content: str) -> dict:
    """A run, and a file of answers."""
    return RUN | {"answers.jsonl": content}


ROWS = [
    Row(
        "a wave into a folder that is there",
        RUN | {"wave": None},
        "ste requests export ste.yaml --to wave",
        2,
        "wave: exists already. Give the folder of a wave a name of its own.",
    ),
    Row(
        "no answers of that name",
        RUN,
        IMPORT,
        3,
        "answers.jsonl: cannot be read (No such file or directory); expected answers of a batch, "
        "one JSON object a line.",
    ),
    Row(
        "the requests in place of their answers",
        given(lines({"custom_id": "a", "method": "POST", "url": "/v1/x", "body": {}})),
        IMPORT,
        3,
        "answers.jsonl:1: expected an answer of a batch (custom_id, response, error), found body, "
        "custom_id, method, url. These are the requests: give what came back.",
    ),
    Row(
        "answers without an id",
        given(lines({"choices": []})),
        IMPORT,
        3,
        "answers.jsonl:1: expected an answer of a batch (custom_id, response, error), found "
        "choices.",
    ),
    Row(
        "an answer that is cut off amid others",
        given('{"custom_id": "a", "resp\n' + lines({"custom_id": "b", "response": None})),
        IMPORT,
        3,
        "answers.jsonl:1: not a JSON object (unterminated string, at character 20); found "
        '\'{"custom_id": "a", "resp\'. Fix or remove the line.',
    ),
    Row(
        "a part beyond the last",
        RUN,
        "ste generate ste.yaml --part 17/16",
        2,
        "--part: expected I/N with I from 1 to N, such as 3/16, found '17/16'. The jobs of an array"
        " give their own number: --part $SLURM_ARRAY_TASK_ID/16, with --array=1-16.",
    ),
    Row(
        "a part of a certain iteration",
        RUN,
        "ste generate ste.yaml --part 1/2 --iteration 1",
        2,
        "--iteration: a part (--part) is of what is asked next. Leave it out.",
    ),
    Row(
        "a part without a source's file",
        run_with(
            judge=served(base_url="http://127.0.0.1:9/v1"), instructions="[{path: gone.jsonl}]"
        ),
        "ste generate ste.yaml --part 1/2",
        3,
        "{tmp}/gone.jsonl: no such file. `path: gone.jsonl` of an instruction source is taken "
        "relative to the config's folder; correct it there.",
    ),
]
