"""What is to be kept out, and what is looked for in others' data, that is not there."""

from tests.bad_input.catalogue.row import TO_FIX, Row, lines, run_with

RUN = "ste run ste.yaml"
AUDIT = "ste audit --benchmark people.jsonl --against data.jsonl"
PROMPT = {"id": "p", "prompt": "Name a tree."}


def keeping_out(names: str, **files: str) -> dict:
    """A run that keeps these out, and files by their names without ending."""
    return run_with(selection=f"{{keep_out: {names}}}") | {
        f"{name}.jsonl": content for name, content in files.items()
    }


ROWS = [
    Row(
        "a benchmark to keep out that there is not",
        keeping_out("[ste_rewardbnch]"),
        RUN,
        2,
        "selection.keep_out: found 'ste_rewardbnch', which is neither a benchmark nor a file "
        "({tmp}/ste_rewardbnch). Did you mean 'ste_rewardbench'? `ste tasks list` shows the "
        "benchmarks; a file has a column of prompts, as `prompt`.",
    ),
    Row(
        "a file to keep out that is not there",
        keeping_out("[gone.jsonl]"),
        RUN,
        2,
        "selection.keep_out: found 'gone.jsonl', which is neither a benchmark nor a file "
        "({tmp}/gone.jsonl). `ste tasks list` shows the benchmarks; a file has a column of "
        "prompts, as `prompt`.",
    ),
    Row(
        "a benchmark to keep out that is not there offline",
        keeping_out("[ste_judgebench]"),
        RUN,
        3,
        "selection.keep_out: ste_judgebench: hub:ScalerLab/JudgeBench (split 'gpt'): cannot be "
        "read ({host}).\nOffline, put its rows into a file judgebench.jsonl in the folder that "
        "evaluation.data names, or name a file of its prompts in place of it.",
    ),
    Row(
        "a file to keep out without prompts",
        keeping_out("[people.jsonl]", people=lines({"score": 3})),
        RUN,
        3,
        "{tmp}/people.jsonl:1: found no column of prompts among 'score'; expected one of prompt, "
        "instruction, question, query, input, text, messages, conversations, conversation, "
        "context, chosen, conversation_a."
        " Rename the column that holds them (`ste audit` also takes --column).",
    ),
    Row(
        "an empty file to keep out",
        keeping_out("[people.jsonl]", people=""),
        RUN,
        3,
        "{tmp}/people.jsonl: no prompt in it. Fill it, or name another.",
    ),
    Row(
        "a prompt to keep out that is empty",
        keeping_out("[people.jsonl]", people=lines(PROMPT, PROMPT | {"prompt": " "})),
        RUN,
        3,
        "people.jsonl:2: expected a prompt, found an empty one. Fill it in or remove it.",
    ),
    Row(
        "a prompt to keep out that is no text",
        keeping_out("[people.jsonl]", people=lines(PROMPT, PROMPT | {"prompt": 5})),
        RUN,
        3,
        "people.jsonl:2: prompt: expected text, found int '5'. Fix or remove it.",
    ),
    Row(
        "a pattern of files to keep out that matches none",
        keeping_out("['people-*.jsonl']", others=lines(PROMPT)),
        RUN,
        3,
        "{tmp}/people-*.jsonl: no file matches this pattern; {tmp} holds instructions.jsonl, "
        "others.jsonl, run, ste.yaml. Correct the pattern.",
    ),
    Row(
        "a measure that there is none of",
        run_with(selection="{keep_out_by: [9-grams]}"),
        RUN,
        2,
        TO_FIX + "selection.keep_out_by.0: found '9-grams'; expected 'exact', "
        "'near-duplicate', '8-grams' or '13-grams'",
    ),
    Row(
        "an audit of nothing",
        {},
        "ste audit",
        2,
        "ste audit: found nothing to examine; expected a run's folder or config, or --benchmark "
        "with --against.",
    ),
    Row(
        "a benchmark against nothing",
        {},
        "ste audit --benchmark ste_llmbar",
        2,
        "ste audit: found --benchmark; expected --benchmark with --against, and no run.",
    ),
    Row(
        "a benchmark against a run",
        {},
        "ste audit run --benchmark ste_llmbar --against data.jsonl",
        2,
        "ste audit: found the run run and --benchmark and --against; expected --benchmark with "
        "--against, and no run.",
    ),
    Row(
        "training data that are not there",
        {"people.jsonl": lines(PROMPT)},
        AUDIT,
        3,
        "data.jsonl: no such file or folder. Correct the path.",
    ),
    Row(
        "training data in which nothing is asked",
        {
            "people.jsonl": lines(PROMPT),
            "data.jsonl": lines({"messages": [{"role": "assistant", "content": "Hello."}]}),
        },
        AUDIT,
        3,
        "data.jsonl: no instruction in it. Name its column (--column), or another.",
    ),
    Row(
        "a form of training data that there is none of",
        {"people.jsonl": lines(PROMPT), "data.jsonl": lines(PROMPT)},
        AUDIT + " --form opnai",
        2,
        "--form: found 'opnai'. Did you mean 'openai'? There are: plain, wildchat, sharegpt, "
        "openai, alpaca.",
    ),
    Row(
        "a column of training data that is not there",
        {"people.jsonl": lines(PROMPT), "data.jsonl": lines(PROMPT)},
        AUDIT + " --form openai --column turns",
        3,
        "{tmp}/data.jsonl:1: no column 'turns'; found 'id', 'prompt'. Name the one that "
        "holds what is asked: --column.",
    ),
]
