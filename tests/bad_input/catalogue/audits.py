"""Runs that cannot be audited as asked."""

from tests.bad_input.catalogue.row import TO_FIX, Row, run_with, started

ROWS = [
    Row(
        "an audit of a folder that is no run",
        {"run": None},
        "ste audit run",
        2,
        "run: neither a run's folder (no run.yaml in it) nor a config. Give one of them.",
    ),
    Row(
        "an audit before anything was made",
        run_with(),
        "ste audit ste.yaml",
        2,
        "{tmp}/run: not a run's folder (no run.yaml); nothing was made yet. `ste run` makes one.",
    ),
    Row(
        "an audit by a check that there is none of",
        started(),
        "ste audit run --only shortcut",
        2,
        "--only: no check 'shortcut'. Did you mean 'shortcuts'? There are: shortcuts{host}",
    ),
    Row(
        "an audit by a probe that there is none of",
        started(),
        "ste audit run --only probes --probe length",
        2,
        "--probe: no 'length'. There are: better in Markdown{host}",
    ),
    Row(
        "a run that asks for a probe that there is none of",
        run_with(audit="{probes: [worse paded]}"),
        "ste run ste.yaml",
        2,
        "audit.probes: no 'worse paded'. Did you mean 'worse padded'? There are: better in "
        "Markdown{host}",
    ),
    Row(
        "a number of pairs for a check that asks about none",
        started(),
        "ste audit run --only shortcuts --pairs 40",
        2,
        "ste audit: found --pairs with --only, so that no probe is asked; expected one or the "
        "other. Leave one out.",
    ),
    Row(
        "a probe where labels are asked",
        started(),
        "ste audit run --labels labels.jsonl --probe pushback",
        2,
        "ste audit: found --probe with --labels, so that no probe is asked; expected one or the "
        "other. Leave one out.",
    ),
    Row(
        "a check of a run where data of others are examined",
        started(),
        "ste audit --benchmark a.jsonl --against b.jsonl --only shortcuts --iteration 1",
        2,
        "ste audit: found --iteration and --only with --benchmark and --against, which no run is "
        "needed for; expected one or the other. Leave one out.",
    ),
    Row(
        "a column of others' data where a run is examined",
        started(),
        "ste audit run --column prompt",
        2,
        "ste audit: found --column with a run, which has no data of others; expected one or the "
        "other. Leave one out.",
    ),
    Row(
        "an audit of no pairs",
        run_with(audit="{pairs: 0}"),
        "ste run ste.yaml",
        2,
        TO_FIX + "audit.pairs: found 0; expected 1 or more",
    ),
    Row(
        "an audit of an iteration that was not begun",
        started(),
        "ste audit run --iteration 3",
        2,
        "--iteration: found 3, which {tmp}/run has not begun; the last that was trained is 0 (the "
        "seed). Leave it out, or begin it: `ste run`.",
    ),
    Row(
        "an audit of a run by a config that was changed since",
        run_with(seed="2") | started(),
        "ste audit ste.yaml",
        2,
        "{tmp}/run: made with other settings, says its run.yaml:\n"
        "  seed: 0 → 2  (makes obsolete: everything)\n"
        "Set them back, or give this run another folder (run: ...), or redo what depends on them: "
        "`ste run CONFIG --from pool`, which keeps the old output beside the new.",
    ),
    Row(
        "pairs matched by what they cannot be matched by",
        run_with(dataset="{match: [format]}"),
        "ste run ste.yaml",
        2,
        TO_FIX + "dataset.match.0: found 'format'; expected 'length'",
    ),
]
