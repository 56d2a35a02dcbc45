"""Measuring and comparing: tasks, their settings, and results."""

from tests.bad_input.catalogue.data_files import PAIR
from tests.bad_input.catalogue.row import Row, lines, run_with, started

PAIRS = {"pairs.jsonl": lines(PAIR)}
EVAL = "ste eval --model some/judge --data pairs.jsonl"

ROWS = [
    Row(
        "a task that there is not",
        PAIRS,
        EVAL + " --task ste_rewardbenhc",
        2,
        "--task: no task 'ste_rewardbenhc'. Did you mean 'ste_rewardbench'? `ste tasks list` "
        "shows all; a plugin can add a folder of its own (ste_task_dirs).",
        apart=True,
    ),
    Row(
        "nothing to measure",
        {},
        "ste eval",
        2,
        "ste eval: found nothing to measure; expected a run's config, or --model with --task and "
        "--data.",
    ),
    Row(
        "two things to measure",
        run_with(),
        "ste eval ste.yaml --model some/judge",
        2,
        "ste eval: found both ste.yaml and --model some/judge; expected one of them. Leave one "
        "out.",
    ),
    Row(
        "a local task without pairs",
        {},
        "ste eval --model some/judge",
        2,
        "STE_JUDGE_DATA is not set: ste_local needs the path of a file of pairs (id, subset, "
        "prompt, chosen, rejected), as in STE_JUDGE_DATA=pairs.jsonl (ste eval: --data).",
    ),
    Row(
        "a judge format that there is not",
        PAIRS,
        EVAL + " --format critera",
        2,
        "STE_JUDGE_FORMAT (--format): no 'critera'. Did you mean 'criteria'? There are: brief, "
        "criteria, decision, plan, rating, verdict; a plugin can add more (see `ste plugins`).",
    ),
    Row(
        "a setting that there is not",
        PAIRS,
        EVAL + " --judge-args vote=8",
        2,
        "--judge-args: found 'vote'. Did you mean 'votes'? Expected some of data, format, force, "
        "max_new_tokens, limit, plugins, benchmark, section, mode, votes, temperature, top_p, "
        "early_stop, too_long, seed, chat_template_kwargs, thinking, omit, columns, labels, lists, "
        "bad_rows.",
    ),
    Row(
        "no votes",
        PAIRS,
        EVAL + " --judge-args votes=0",
        2,
        "STE_JUDGE_VOTES (votes in --judge-args): found '0'; expected a whole number from 1.",
    ),
    Row(
        "a mode that there is not",
        PAIRS,
        EVAL + " --judge-args mode=fast",
        2,
        "STE_JUDGE_MODE (mode in --judge-args): found 'fast'; expected verdict or official or "
        "likelier.",
    ),
    Row(
        "settings without an equals sign",
        PAIRS,
        EVAL + " --judge-args votes",
        2,
        "--judge-args: found 'votes'; expected KEY=VALUE,KEY=VALUE or a JSON object.",
    ),
    Row(
        "arguments of the backend that are no JSON",
        PAIRS,
        EVAL + " --model-args '{dtype: float32'",
        2,
        "--model-args: found '{dtype: float32'; expected KEY=VALUE,KEY=VALUE or a JSON object.",
    ),
    Row(
        "a key among the arguments of the backend",
        PAIRS,
        EVAL + " --model-args api_key=sk-canary",
        2,
        "--model-args: api_key holds a secret (not shown here). Secrets come from the environment"
        " only: remove it, and name the variable instead (options.api_key_env), or set the one "
        "that the program reads (HF_TOKEN).",
    ),
    Row(
        "a section that the benchmark lacks",
        {"rewardbench.jsonl": ""},
        "ste eval --model m --task ste_rewardbench --data rewardbench.jsonl --judge-args "
        "section=Chatty",
        2,
        "STE_JUDGE_SECTION (section in --judge-args): found 'Chatty'; expected one that "
        "rewardbench has: 'Chat', 'Chat Hard', 'Safety', 'Reasoning'.",
    ),
    Row(
        "a task in the config that there is not",
        run_with(evaluation="{tasks: [ste_rewardbenhc]}"),
        "ste run ste.yaml",
        2,
        "evaluation.tasks: no task 'ste_rewardbenhc'. Did you mean 'ste_rewardbench'? `ste tasks "
        "list` shows all; a plugin can add a folder of its own (ste_task_dirs).",
    ),
    Row(
        "a table of a run that is none",
        {"run": None},
        "ste eval run --table",
        3,
        "run: no judge was measured there yet. `ste eval` or `ste run` does.",
    ),
    Row(
        "judges compared that were not measured",
        {"a": None, "b": None},
        "ste compare a b",
        3,
        "a: no evaluation there; expected results.json (`ste eval` writes it) or samples_*.jsonl "
        "(lm_eval --log_samples).",
    ),
    Row(
        "judges compared on other pairs",
        {"a/results.json": '{"pairs_sha256": "1"}', "b/results.json": '{"pairs_sha256": "2"}'},
        "ste compare a b",
        3,
        "Nothing to compare: a has a; b has a.\n"
        "  a: not the same pairs 1 against 2\n"
        "Measure both on the same pairs in the same way: ste eval --model … --task … --format …",
    ),
    Row(
        "results that are no JSON",
        {"a/results.json": "{", "b/results.json": "{}"},
        "ste compare a b",
        3,
        "a/results.json: not JSON (Expecting property name enclosed in double quotes: line 1 "
        "column 2 (char 1)). Delete it and run again.",
    ),
    Row(
        "results without what was said",
        {"a/results.json": "{}", "b/results.json": "{}"},
        "ste compare a b",
        3,
        "a/judged.jsonl: no such file, which holds what was said about each pair. Delete "
        "results.json beside it and measure again.",
    ),
    Row(
        "the status of a folder that is no run",
        {"run": None},
        "ste status run",
        3,
        "run: not a run's folder (no run.yaml). `ste run CONFIG.yaml` makes one.",
    ),
    Row(
        "the status of a run with a damaged config",
        {"run/run.yaml": "config: 7\n"},
        "ste status run",
        3,
        "run/run.yaml: expected the config that the run was started with, found other YAML. Put "
        "it back from a copy, or move the run's folder away and start a new run.",
    ),
    Row(
        "the report of a folder that is no run",
        {"run": None},
        "ste report run",
        3,
        "run: not a run's folder (no run.yaml). `ste run CONFIG.yaml` makes one.",
    ),
    Row(
        "the report of a run that was not begun",
        run_with(),
        "ste report ste.yaml",
        3,
        "run: not a run's folder (no run.yaml). `ste run CONFIG.yaml` makes one.",
    ),
    Row(
        "the report of a run with damaged findings",
        started() | {"run/audit/findings.json": "7"},
        "ste report run",
        3,
        "run/audit/findings.json: changed since it was written (AttributeError(\"'int' object has "
        "no attribute 'items'\")). Delete it and run the same command again: it is made again, and "
        "nothing is paid for twice.",
    ),
    Row(
        "the report of a run with damaged results",
        started() | {"run/iter-00/eval/dev/results.json": '{"overall": {}}'},
        "ste report run",
        3,
        "run/iter-00/eval/dev/results.json: changed since it was written (KeyError('n')). Delete "
        "it and run the same command again: it is made again, and nothing is paid for twice.",
    ),
    Row(
        "an instruction to forget, unnamed",
        run_with(),
        "ste forget ste.yaml",
        2,
        "ste forget: found nothing to forget by; expected one of --match TEXT, --regex R or --key"
        " K.",
    ),
    Row(
        "a pattern to forget that is none",
        run_with(),
        "ste forget ste.yaml --regex '('",
        2,
        "--regex '(': not a regular expression (missing ), unterminated subpattern at position "
        "0). Fix it, or give plain text: --match.",
    ),
    Row(
        "a pattern to forget that matches all",
        run_with(),
        "ste forget ste.yaml --regex 'x*'",
        2,
        "--regex: found 'x*', which matches every text; expected one that only some texts match, "
        "such as 'Jane D.*'.",
    ),
    Row(
        "forgetting in a folder that is no run",
        {"run": None},
        "ste forget run --match fruit",
        2,
        "run: neither a run's folder (no run.yaml in it) nor a config. Give one of them.",
    ),
    Row(
        "a lm-eval task without data",
        {},
        "python -m lm_eval run --model dummy --include_path {tasks} --tasks ste_local",
        1,
        "STE_JUDGE_DATA is not set: ste_local needs the path of a file of pairs (id, subset, "
        "prompt, chosen, rejected), as in STE_JUDGE_DATA=pairs.jsonl (ste eval: --data).",
        apart=True,
    ),
]
