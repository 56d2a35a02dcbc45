"""Variables, folders, interpreters and other processes."""

from tests.bad_input.catalogue.row import TINY, TO_FIX, Row, run_with, served, started

GENERATE = "ste generate ste.yaml"
JUDGE = "ste judge model --instruction x --a y --b z"
KEYED = run_with(judge=served(base_url="http://127.0.0.1:9/v1", api_key_env="JUDGE_API_KEY"))

ROWS = [
    Row(
        "a key that is not set",
        KEYED,
        GENERATE,
        2,
        "options of engine http: api_key_env: the environment variable JUDGE_API_KEY is not set. "
        "Set it (`export JUDGE_API_KEY=...`), or leave api_key_env out for a server without keys.",
        env={"JUDGE_API_KEY": ""},
    ),
    Row(
        "a key with a line break",
        KEYED,
        GENERATE,
        2,
        "options of engine http: api_key_env: the value of JUDGE_API_KEY holds spaces, line "
        "breaks or letters beyond ASCII, which no API key does. Set it again.",
        env={"JUDGE_API_KEY": "sk\ncanary"},
    ),
    Row(
        "a key in the place of its variable's name",
        run_with(judge=served(base_url="http://127.0.0.1:9/v1", api_key_env="sk-canary")),
        GENERATE,
        2,
        "options of engine http: 1 setting(s) to fix:\n  api_key_env: expected the name of an "
        "environment variable in capitals, such as "
        "JUDGE_API_KEY; what was found is not shown, as it may be the key itself",
    ),
    Row(
        "the value of a secret in the config",
        run_with(judge="{model: hf_canary_0123456789}"),
        GENERATE,
        2,
        "ste.yaml: judge.model holds the value of HF_TOKEN (not shown here). Secrets come from "
        "the environment only: remove it, and name the variable instead (options.api_key_env), or"
        " set the one that the program reads (HF_TOKEN).",
        env={"HF_TOKEN": "hf_canary_0123456789"},
    ),
    Row(
        "a run's folder that is a file",
        run_with(run="taken") | {"taken": "mine\n"},
        GENERATE,
        3,
        "{tmp}/taken: cannot be written (File exists). A file is there, where a folder is needed:"
        " move it away, or name another folder, then run the same command again: what is done is "
        "kept.",
    ),
    Row(
        "a run's folder with another config",
        run_with(seed="2") | started(),
        GENERATE,
        2,
        "{tmp}/run: made with other settings, says its run.yaml:\n"
        "  seed: 0 → 2  (makes obsolete: everything)\n"
        "Set them back, or give this run another folder (run: ...), or redo what depends on them:"
        " `ste run CONFIG --from pool`, which keeps the old output beside the new.",
    ),
    Row(
        "a run's folder with a damaged config",
        run_with() | {"run/run.yaml": "seed: 1\n", "run/run.lock": ""},
        GENERATE,
        3,
        "{tmp}/run/run.yaml: expected the config that the run was started with, found other YAML."
        " Put it back from a copy, or move the run's folder away and start a new run.",
    ),
    Row(
        "no interpreter for axolotl",
        run_with(hosts="{train: {python: /gone/python}}"),
        "ste run ste.yaml",
        5,
        "/gone/python: no such Python interpreter, so axolotl cannot run. Install it there with "
        '`pip install "axolotl>=0.19,<0.22"`, or set hosts.*.python to an environment that has '
        "it.",
    ),
    Row(
        "an interpreter that is no Python",
        run_with(hosts="{eval: {python: /bin/true}}"),
        "ste run ste.yaml",
        5,
        "/bin/true: does not answer as Python 3.8 or newer (exit code 0): nothing printed. "
        "Install it there with `pip install '/path/to/ste-plugin[eval]'`, or set hosts.*.python to "
        "an environment that has it.",
    ),
    Row(
        "no environment for the server",
        run_with(judge="{model: m, engine: serve}", hosts="{serve: {python: /gone/python}}"),
        GENERATE,
        4,
        "engine serve: /gone/python: no such program. Set hosts.serve.python to the interpreter "
        "of an environment that has vLLM, or hosts.serve.command to what starts the server.",
    ),
    Row(
        "a config with a server's command in one word",
        run_with(judge="{model: m, engine: serve}", hosts="{serve: {command: vllm serve}}"),
        GENERATE,
        2,
        TO_FIX + "hosts.serve.command: found 'vllm serve'; expected a list ([a, b])",
    ),
    Row(
        "threads in words",
        {"model": TINY},
        JUDGE,
        2,
        "OMP_NUM_THREADS: found 'four'; expected a whole number from 1. Set it to one, or unset "
        "it.",
        env={"OMP_NUM_THREADS": "four"},
    ),
    Row(
        "a starter config below a file",
        {"taken": ""},
        "ste init taken/ste.yaml",
        3,
        "taken: cannot be written (File exists). A file is there, where a folder is needed: move "
        "it away, or name another folder, then run the same command again: what is done is kept.",
    ),
    Row(
        "a demo in a folder that is a file",
        {"demo": ""},
        "ste demo demo",
        3,
        "demo: cannot be written (File exists). A file is there, where a folder is needed: move "
        "it away, or name another folder, then run the same command again: what is done is kept.",
    ),
    Row(
        "a port of a server that there is not",
        run_with(judge="{model: m, engine: serve, options: {port: 80000}}"),
        GENERATE,
        2,
        "options of engine serve: 1 setting(s) to fix:\n  port: found 80000; expected 65535 or "
        "less",
    ),
]
