"""Asking a judge, or serving one, in ways that cannot be."""

from tests.bad_input.catalogue.row import Row, started

PAIR = "--instruction x --a y --b z"
SERVE = "ste judge m --base-url http://127.0.0.1:9/v1 --serve"

ROWS = [
    Row(
        "a judge that is asked nothing",
        {},
        "ste judge m --a y",
        2,
        "ste judge: --instruction, --b missing; expected what was asked and two answers, or "
        "--serve to answer over HTTP.",
    ),
    Row(
        "a pair for a judge that is served",
        {},
        f"{SERVE} {PAIR}",
        2,
        "ste judge: found --serve and a pair; expected one of them. With --serve pairs come over "
        "HTTP.",
    ),
    Row(
        "an empty answer",
        {},
        "ste judge m --base-url http://127.0.0.1:9/v1 --instruction x --a y --b ''",
        3,
        "m: answer B is empty; expected text. Leave the pair out, or count it yourself.",
    ),
    Row(
        "an unknown format to be asked in",
        {},
        f"ste judge m {PAIR} --format breif",
        2,
        "format: no 'breif'. Did you mean 'brief'? There are: brief, criteria, decision, "
        "plan, rating, verdict; a plugin can add more (see `ste plugins`).",
    ),
    Row(
        "an iteration of a model",
        {},
        f"ste judge m {PAIR} --iteration 1",
        2,
        "iteration: m is no run, so it has none. Leave iteration out.",
    ),
    Row(
        "the judge of a run that has none yet",
        started(),
        f"ste judge run {PAIR}",
        3,
        "{tmp}/run: no judge to ship yet, as the run is not finished (no report.json). Finish the "
        "run: `ste run`. Its seed is iteration=0.",
    ),
    Row(
        "a format for the judge of a run",
        started(),
        f"ste judge run {PAIR} --format brief",
        2,
        "run: a run says by itself how its judge is asked; found format as well. Leave them out, "
        "or give the model's folder instead of the run's.",
    ),
    Row(
        "a judge behind a server that is down",
        {},
        f"ste judge m --base-url http://127.0.0.1:9/v1 {PAIR} "
        "--options max_attempts=1,concurrency=1",
        4,
        "http://127.0.0.1:9/v1/chat/completions (model 'm'): no usable answer in 1 attempt(s); "
        "the last: ConnectError: [Errno 111] Connection refused.\nStart the server, or set "
        "judge.options.base_url (or the generator's) to where it is.",
    ),
    Row(
        "a judge that is served to others without a key",
        {},
        f"{SERVE} --host 0.0.0.0",
        2,
        "--host 0.0.0.0: other machines could ask without a key. Set one (`export "
        "STE_JUDGE_KEY=…`, which clients send as `Authorization: Bearer …`), or leave --host out "
        "for this machine alone.",
        env={"STE_JUDGE_KEY": ""},
    ),
    Row(
        "a limit that is none",
        {},
        f"{SERVE} --limits max_waitin=3",
        2,
        "--limits: 1 setting(s) to fix:\n  max_waitin: unknown key; did you mean 'max_waiting'?",
    ),
    Row(
        "a host that is no address of this machine",
        {},
        f"{SERVE} --host 203.0.113.7",
        2,
        "--host 203.0.113.7: no address of this machine. Give one, as 127.0.0.1 or 0.0.0.0.",
        env={"STE_JUDGE_KEY": "key"},
    ),
    Row(
        "a promise that is no share",
        {},
        "ste cascade fit m --error 1.5",
        2,
        "--error: found 1.5; expected a share between 0 and 1, such as 0.10.",
    ),
    Row(
        "a cascade without a threshold",
        {"c.yaml": "decision: {judge: m, format: verdict}\n"},
        f"ste judge c.yaml {PAIR}",
        2,
        "c.yaml: no threshold in it yet (`fitted` is missing), so that nobody knows when its "
        "decisions can be believed. Fit it: ste cascade fit c.yaml --labels people.jsonl --error "
        "0.10",
    ),
    Row(
        "a cascade with a misspelt judge",
        {"c.yaml": "decision: {judge: m}\nreasonning: {judge: m}\n"},
        "ste cascade fit c.yaml",
        2,
        "c.yaml: 1 setting(s) to fix:\n  reasonning: unknown key; did you mean 'reasoning'?",
    ),
    Row(
        "judges of a cascade named twice",
        {"c.yaml": "decision: {judge: m}\n"},
        "ste cascade fit c.yaml --reasoning m",
        2,
        "c.yaml: it says by itself which judges there are; found --reasoning as well. Leave it "
        "out, or change the file.",
    ),
    Row(
        "a cascade to be written into its judge's folder",
        {"model/config.json": "{}"},
        "ste cascade fit model --engine local --out model/cascade.json",
        2,
        "--out: found model/cascade.json, in the folder of a model, model; expected a place beside "
        "it: a file more in there makes another model of it, for which nothing was fitted. Write "
        "it elsewhere: --out cascade.json.",
    ),
    Row(
        "a calibration to be written below its judge's folder",
        {"model/config.json": "{}", "model/more": None},
        "ste calibrate model --labels people.jsonl --out model/more/calibration.json",
        2,
        "--out: found model/more/calibration.json, in the folder of a model, model; expected a "
        "place beside it: a file more in there makes another model of it, for which nothing was "
        "fitted. Write it elsewhere: --out calibration.json.",
    ),
    Row(
        "a cascade to be fitted without labels",
        {},
        "ste cascade fit m --engine local",
        3,
        "ste cascade fit: no labels, and no run with test pairs of its own. Those that chose its "
        "judge (dev) promise nothing about it. Give pairs that people labelled: --labels "
        "people.jsonl.",
    ),
]
