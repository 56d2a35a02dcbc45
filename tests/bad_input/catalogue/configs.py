"""A run's YAML that is none, or that says what cannot be."""

from tests.bad_input.catalogue.row import TO_FIX, Row, run_with, served, started

RUN = "ste run ste.yaml"

ROWS = [
    Row(
        "no config of that name",
        {},
        RUN,
        2,
        "ste.yaml: no such file or directory; expected settings in YAML. `ste init` writes a "
        "starter config.",
    ),
    Row(
        "a folder for a config",
        {"ste.yaml": None},
        RUN,
        2,
        "ste.yaml: is a folder, not a file; expected settings in YAML. `ste init` writes a "
        "starter config.",
    ),
    Row(
        "an empty config",
        {"ste.yaml": ""},
        RUN,
        2,
        "ste.yaml: expected settings (key: value), found nothing. `ste init` writes a starter "
        "config.",
    ),
    Row(
        "a config indented with a tab",
        {"ste.yaml": "judge:\n\tmodel: some/judge\n"},
        RUN,
        2,
        "ste.yaml: not YAML that can be used: line 2, column 1: a tab; YAML is indented with "
        "spaces. Fix it there.",
    ),
    Row(
        "a config with an open bracket",
        {"ste.yaml": "pairs: {strategies: [other-instruction}\nrun: x\n"},
        RUN,
        2,
        "ste.yaml: not YAML that can be used: line 1, column 39: expected ',' or ']', but got "
        "'}'. Fix it there.",
    ),
    Row(
        "a config in UTF-16, as Notepad saves it",
        {"ste.yaml": "run: here\n".encode("utf-16")},
        RUN,
        2,
        "ste.yaml: expected YAML in UTF-8, found text in UTF-16. Save it in UTF-8: iconv -f "
        "UTF-16 -t UTF-8 FILE.",
    ),
    Row(
        "a config in Latin-1",
        {"ste.yaml": "run: Köln\n".encode("latin-1")},
        RUN,
        2,
        "ste.yaml: expected YAML in UTF-8, found the byte 0xf6 in line 1, as of Latin-1 or "
        "Windows-1252. Save it in UTF-8.",
    ),
    Row(
        "a key that stands twice",
        {"ste.yaml": "run: a\njudge: {model: m}\nrun: b\n"},
        RUN,
        2,
        "ste.yaml: not YAML that can be used: line 3: 'run' is set twice, first in line 1. Fix "
        "it there.",
    ),
    Row(
        "a key that is nearly right",
        run_with(itterations="2"),
        RUN,
        2,
        "ste.yaml: 1 setting(s) to fix:\n  itterations: unknown key; did you mean 'iterations'?",
        apart=True,
    ),
    Row(
        "a folder named by a variable of the shell",
        run_with(run="$SCRATCH/judge"),
        RUN,
        2,
        TO_FIX + "run: found '$SCRATCH/judge'; expected a path without variables: no shell fills "
        "them in here. Write the value of $SCRATCH in its place; ~ is your home folder",
    ),
    Row(
        "a file of pairs named by a variable of the shell",
        run_with(evaluation="{pairs: {mine: '${DATA}/mine.jsonl'}}"),
        RUN,
        2,
        TO_FIX + "evaluation.pairs.mine: found '${DATA}/mine.jsonl'; expected a path without "
        "variables: no shell fills them in here. Write the value of ${DATA} in its place; ~ is "
        "your home folder",
    ),
    Row(
        "a nested key that is nearly right",
        run_with(hosts="{train: {pyhton: x}}"),
        RUN,
        2,
        TO_FIX + "hosts.train.pyhton: unknown key; did you mean 'python'?",
    ),
    Row(
        "a launcher that is nearly right",
        run_with(hosts="{train: {launcher: torchurn}}"),
        RUN,
        2,
        TO_FIX + "hosts.train.launcher: found 'torchurn'; expected 'python', 'accelerate' or "
        "'torchrun'",
    ),
    Row(
        "arguments without a launcher",
        run_with(hosts="{train: {launcher_args: [--nnodes, 2]}}"),
        RUN,
        2,
        TO_FIX + "hosts.train: launcher_args: given without a launcher, so that they would go "
        "nowhere; set launcher: torchrun or accelerate, or remove them",
    ),
    Row(
        "several nodes that do not know where to meet",
        run_with(hosts="{train: {launcher: torchrun, launcher_args: [--nnodes, 2]}}"),
        "ste run ste.yaml",
        2,
        "hosts.train.launcher_args: 2 nodes (--nnodes), but no --rdzv_endpoint, so that each would "
        "wait for the others on its own. Add [--rdzv_endpoint, FIRST_NODE:29500], the first node's "
        "name and a free port there.",
    ),
    Row(
        "a number of nodes in words",
        run_with(hosts="{train: {launcher: torchrun, launcher_args: [--nnodes, two]}}"),
        "ste run ste.yaml",
        2,
        "hosts.train.launcher_args: --nnodes: found 'two'; expected how many nodes there are, as 2 "
        "(or 1:4, from one to four).",
    ),
    Row(
        "a rank that would be the same on all nodes",
        run_with(
            hosts="{train: {launcher: torchrun, launcher_args: [--node_rank, $SLURM_NODEID]}}"
        ),
        "ste run ste.yaml",
        2,
        "hosts.train.launcher_args: found $SLURM_NODEID, which is another one on each node, but is "
        "filled in once, where `ste` runs. Leave it out: nodes that meet by torchrun's "
        "--rdzv_endpoint (accelerate: with --rdzv_backend, c10d) number themselves.",
    ),
    Row(
        "a launcher's variable that is not set",
        run_with(hosts="{train: {wrapper: [srun, --nodes=$STE_TEST_NODES]}}"),
        "ste run ste.yaml",
        2,
        "hosts.train.wrapper: names the environment variable STE_TEST_NODES, which is not set. Set "
        "it (`export STE_TEST_NODES=...`) where `ste` is started; a `$` itself is written `$$`.",
    ),
    Row(
        "Ray and another launcher",
        run_with(training="{recipe: mine.yaml}", hosts="{train: {launcher: torchrun}}")
        | {"mine.yaml": "base_model: m\nuse_ray: true\n"},
        "ste run ste.yaml",
        2,
        "training.recipe: mine.yaml: use_ray: true has Ray start the processes, and "
        "hosts.train.launcher: torchrun would start them, too. Remove one of them.",
    ),
    Row(
        "files of a cluster that are there already",
        {"here/run.sbatch": ""},
        "ste recipes copy slurm here",
        2,
        "here/run.sbatch: exists already; give another folder.",
    ),
    Row(
        "a key of another program",
        run_with(learning_rate="0.0002"),
        RUN,
        2,
        TO_FIX
        + "learning_rate: unknown key; there are: run, seed, iterations, keep, judge, generator, "
        "instructions, privacy, selection, pairs, judging, dataset, training, evaluation, gates, "
        "audit, budget, hosts, plugins",
    ),
    Row(
        "marks of thoughts without the one that ends them",
        run_with(judge='{model: some/judge, thinking: {open: "<x>"}}'),
        RUN,
        2,
        TO_FIX + "judge.thinking.close: missing, and it has no default",
    ),
    Row(
        "one mark for both ends of a thought",
        run_with(judge='{model: some/judge, thinking: {open: "---", close: "---"}}'),
        RUN,
        2,
        TO_FIX + "judge.thinking: found open '---' and close '---'; expected two different marks",
    ),
    Row(
        "a chat template that is told to tokenize",
        run_with(judge="{model: some/judge, chat_template_kwargs: {tokenize: true}}"),
        RUN,
        2,
        TO_FIX + "judge.chat_template_kwargs: tokenize: said by every request itself; expected "
        "what the template asks for, as enable_thinking",
    ),
    Row(
        "a chat template that is given a list of names",
        run_with(judge="{model: some/judge, chat_template_kwargs: [enable_thinking]}"),
        RUN,
        2,
        TO_FIX + "judge.chat_template_kwargs: found ['enable_thinking']; expected settings (key: "
        "value)",
    ),
    Row(
        "thoughts that are neither kept nor dropped",
        run_with(dataset="{thinking: maybe}"),
        RUN,
        2,
        TO_FIX + "dataset.thinking: found 'maybe'; expected 'keep' or 'drop'",
    ),
    Row(
        "no judge at all",
        {"ste.yaml": "run: here\ntraining: {recipe: sft-lora-8b}\n"},
        RUN,
        2,
        "ste.yaml: 2 setting(s) to fix:\n"
        "  judge: missing, and it has no default\n"
        "  instructions: missing, and it has no default",
    ),
    Row(
        "a judge that is only a name",
        run_with(judge="meta-llama/Llama-3.1-8B-Instruct"),
        RUN,
        2,
        TO_FIX + "judge: found 'meta-llama/Llama-3.1-8B-Instruct'; expected settings (key: value)",
    ),
    Row(
        "a model name that YAML reads as a number",
        run_with(judge="{model: 8}"),
        RUN,
        2,
        TO_FIX + "judge.model: found 8; expected text (in quotes, if it looks like something else)",
    ),
    Row(
        "one source that is no list",
        run_with(instructions="{path: instructions.jsonl}"),
        RUN,
        2,
        TO_FIX + "instructions: found settings (key: value); expected a list ([a, b])",
    ),
    Row(
        "an empty list of instructions",
        run_with(instructions="[]"),
        RUN,
        2,
        TO_FIX + "instructions: found []; expected at least 1 in the list",
    ),
    Row(
        "turns of rows that hold a single text",
        run_with(instructions="[{path: instructions.jsonl, turns: all}]"),
        RUN,
        2,
        TO_FIX + "instructions.0: found turns: all with form plain, whose rows hold a single text; "
        "expected a form of conversations. Set form: openai, sharegpt or wildchat, or remove turns",
    ),
    Row(
        "a subset of a file",
        run_with(instructions="[{path: instructions.jsonl, subset: main}]"),
        RUN,
        2,
        TO_FIX + "instructions.0: found subset: main with reader: jsonl; expected it of a hub data "
        "set alone. Set reader: hub, or remove subset",
    ),
    Row(
        "a limit that no selector reads",
        run_with(selection="{selectors: [exact-duplicates], limit: 5}"),
        RUN,
        2,
        TO_FIX
        + "selection: found limit: 5 with selectors [exact-duplicates], none of which reads it; "
        "expected limit among them. Add limit to selectors, or remove the setting limit",
    ),
    Row(
        "quotas without a selector",
        run_with(selection="{selectors: [], categories: {coding: 2}}"),
        RUN,
        2,
        TO_FIX
        + "selection: found categories: {'coding': 2} with selectors [], none of which reads it; "
        "expected category-quotas among them. Add category-quotas to selectors, or remove the "
        "setting categories",
    ),
    Row(
        "nothing to make pairs of",
        run_with(pairs="{strategies: []}"),
        RUN,
        2,
        TO_FIX
        + "pairs: found no strategy and no given pairs; expected one of them. Name a strategy, or "
        "set given to a file of labelled pairs",
    ),
    Row(
        "instructions that nothing is made of",
        run_with(pairs="{strategies: [], given: mine.jsonl}"),
        RUN,
        2,
        TO_FIX
        + "instructions: found 1 with pairs.strategies [], so that nothing is made of them. Name a "
        "strategy, or remove instructions",
    ),
    Row(
        "labelled pairs named as a strategy",
        run_with(pairs="{strategies: [given]}"),
        RUN,
        2,
        TO_FIX
        + "pairs: found 'given' among strategies; expected a way to make pairs. Labelled pairs are "
        "named by file: given: labelled.jsonl",
    ),
    Row(
        "a number in words",
        run_with(iterations="two"),
        RUN,
        2,
        "ste.yaml: 1 setting(s) to fix:\n  iterations: found 'two'; expected a whole number",
    ),
    Row(
        "no iteration",
        run_with(iterations="0"),
        RUN,
        2,
        "ste.yaml: 1 setting(s) to fix:\n  iterations: found 0; expected 1 or more",
    ),
    Row(
        "a choice that there is not",
        run_with(keep="first"),
        RUN,
        2,
        "ste.yaml: 1 setting(s) to fix:\n  keep: found 'first'; expected 'best' or 'last'",
    ),
    Row(
        "a switch that is neither on nor off",
        run_with(judging="{force_verdict: maybe}"),
        RUN,
        2,
        TO_FIX + "judging.force_verdict: found 'maybe'; expected true or false",
    ),
    Row(
        "two mistakes told at once",
        run_with(keep="worst", budget="{max_minutes: 0}"),
        RUN,
        2,
        "ste.yaml: 2 setting(s) to fix:\n"
        "  keep: found 'worst'; expected 'best' or 'last'\n"
        "  budget.max_minutes: found 0; expected more than 0",
    ),
    Row(
        "held-out shares that leave nothing to train on",
        run_with(dataset="{dev_fraction: 0.5, test_fraction: 0.5}"),
        RUN,
        2,
        TO_FIX
        + "dataset: found dev_fraction 0.5 + test_fraction 0.5, which leave under a tenth for "
        "training; expected less than 0.9 together. Lower one of them",
    ),
    Row(
        "the shortest of judgments that end with the first correct one",
        run_with(dataset="{keep: shortest}"),
        RUN,
        2,
        TO_FIX
        + "dataset.keep: found 'shortest' with judging.sampling left to the recipe, which stops "
        "once a row can be made; expected fixed or until_decided, which draw several to choose "
        "from. Set judging.sampling: fixed, or leave dataset.keep out",
    ),
    Row(
        "instructions of its own for the one iteration that there is",
        run_with(training="{recipe: sft-lora-8b, start_from: previous, instructions: fresh}"),
        RUN,
        2,
        TO_FIX + "training.instructions: found 'fresh' with iterations 1, whose one part is all "
        "instructions; expected 2 or more. Raise iterations, or leave training.instructions out",
    ),
    Row(
        "pairs of the iteration before to skip where none comes again",
        run_with(
            iterations="2",
            judging="{skip_always_right: true}",
            training="{recipe: sft-lora-8b, instructions: fresh}",
        ),
        RUN,
        2,
        TO_FIX
        + "judging.skip_always_right: found true with training.instructions fresh, where no pair "
        "is judged in two iterations, so that there is none to leave out. Remove one of them",
    ),
    Row(
        "more iterations than the instructions were split for",
        run_with(iterations="3", training="{recipe: sft-lora-8b, instructions: fresh}")
        | started(iterations="2", training="{recipe: sft-lora-8b, instructions: fresh}"),
        RUN,
        2,
        "{tmp}/run: made with other settings, says its run.yaml:\n"
        "  training.instructions: 'fresh (in 2 parts)' → 'fresh (in 3 parts)'  (makes obsolete: "
        "data sets, trainings and evaluations)\n"
        "Set them back, or give this run another folder (run: ...), or redo what depends on them: "
        "`ste run CONFIG --from generate`, which keeps the old output beside the new.",
    ),
    Row(
        "the most typical of one judgment",
        run_with(dataset="{keep: most_typical}", judging="{sampling: fixed, samples: 1}"),
        RUN,
        2,
        TO_FIX
        + "dataset.keep: found 'most_typical' with judging.samples 1; expected 2 or more to choose "
        "from. Raise judging.samples, or leave dataset.keep out",
    ),
    Row(
        "rows of the letter alone mixed into such rows",
        run_with(dataset="{verdict_share: 0.5}", judging="{format: verdict}"),
        RUN,
        2,
        "dataset.verdict_share: found 0.5 with judging.format verdict, whose rows are the letter "
        "alone already; expected a format with reasons, to mix such rows into. Set judging.format "
        "to brief, criteria or plan, or leave dataset.verdict_share out.",
    ),
    Row(
        "rows of the letter alone mixed into ratings of one answer",
        run_with(dataset="{verdict_share: 0.5}", judging="{format: rating}"),
        RUN,
        2,
        "dataset.verdict_share: found 0.5 with judging.format rating, whose rows show one answer "
        "each; expected a format that compares both answers, to mix rows of the letter alone into. "
        "Leave dataset.verdict_share out, or set judging.format to brief, criteria or plan.",
    ),
    Row(
        "a rating chosen for itself, though it is right beside another one only",
        run_with(dataset="{keep: shortest}", judging="{format: rating, sampling: fixed}"),
        RUN,
        2,
        "dataset.keep: found 'shortest' with judging.format rating, which rates each answer alone; "
        "expected first, as the ratings of a pair's two answers are right together only where they "
        "are of the same sample. Leave dataset.keep out, or use a format that compares both "
        "answers (judging.format: brief, criteria or plan).",
    ),
    Row(
        "rows of the letter alone, for a recipe that trains on preferences",
        run_with(dataset="{verdict_share: 0.5}", training="{recipe: dpo-lora-8b}"),
        RUN,
        2,
        "dataset.verdict_share: found 0.5, but dpo-lora-8b trains on dpo rows; expected sft rows, "
        "into which those of the letter alone are mixed. Choose such a recipe (`ste recipes`), or "
        "leave dataset.verdict_share out.",
    ),
    Row(
        "a recipe for judges of letters beside a format with reasons",
        run_with(training="{recipe: decision-lora-8b}", judging="{format: brief}"),
        RUN,
        2,
        "training.recipe: decision-lora-8b trains a judge that answers by a letter alone "
        "(ste.decision), but judging.format brief writes reasons before its verdict. Set "
        "judging.format: decision, or choose another recipe (`ste recipes list`).",
    ),
    Row(
        "a recipe for judges of letters beside verdicts in any words",
        run_with(training="{recipe: decision-lora-8b}", judging="{format: verdict}"),
        RUN,
        2,
        "training.recipe: decision-lora-8b trains a judge that answers by a letter alone "
        "(ste.decision), but judging.force_verdict is false, so that a judge of the format verdict "
        "writes what it likes. Set judging.force_verdict: true, or judging.format: decision.",
    ),
    Row(
        "right replies that nobody can know without drawing them",
        run_with(judging="{format: brief, sampling: constructed}"),
        RUN,
        2,
        "judging.sampling: found constructed with judging.format brief, whose judges say more than "
        "a letter; expected a format of the letter alone, as only then the right reply is known "
        "without drawing it. Leave judging.sampling out, or set judging.format: decision or "
        "verdict.",
    ),
    Row(
        "more rows of the letter alone than reasoning ones",
        run_with(dataset="{verdict_share: 0.6}"),
        RUN,
        2,
        TO_FIX + "dataset.verdict_share: found 0.6; expected 0.5 or less",
    ),
    Row(
        "a range of complexity without labels",
        run_with(selection="{min_complexity: 5}"),
        RUN,
        2,
        TO_FIX
        + "selection: found a range of complexity without labels; expected both. Set label: true",
    ),
    Row(
        "a range of complexity upside down",
        run_with(selection="{label: true, min_complexity: 7, max_complexity: 3}"),
        RUN,
        2,
        TO_FIX
        + "selection: found min_complexity 7 above max_complexity 3; expected the smaller number "
        "first. Swap them",
    ),
    Row(
        "a gate that there is not",
        run_with(gates="{position_bais: 0.1}"),
        RUN,
        2,
        TO_FIX + "gates.position_bais: unknown key; did you mean 'position_bias'?",
    ),
    Row(
        "a position bias that no judge can have",
        run_with(gates="{position_bias: 0.7}"),
        RUN,
        2,
        TO_FIX + "gates.position_bias: found 0.7; expected less than 0.5",
    ),
    Row(
        "people's labels that are not measured",
        run_with(gates="{people: [mien]}", evaluation="{pairs: {mine: mine.jsonl}}"),
        RUN,
        2,
        "gates.people: found 'mien'. Did you mean 'mine'? Expected names of `evaluation.pairs` "
        "or `evaluation.tasks` (mine).",
    ),
    Row(
        "a name of pairs that is a path",
        run_with(evaluation="{pairs: {../mine: a.jsonl}}"),
        RUN,
        2,
        TO_FIX
        + "evaluation.pairs.../mine: found '../mine'; expected a name for a folder: letters, "
        "digits and _ . + -, 80 at most",
    ),
    Row(
        "a key of a server in the config",
        run_with(judge=served(base_url="http://127.0.0.1:9/v1", api_key="sk-canary")),
        RUN,
        2,
        "ste.yaml: judge.options.api_key holds a secret (not shown here). Secrets come from the "
        "environment only: remove it, and name the variable instead (options.api_key_env), or set"
        " the one that the program reads (HF_TOKEN).",
    ),
    Row(
        "a judge format that is nearly right",
        run_with(judging="{format: breif}"),
        RUN,
        2,
        "judging.format: no 'breif'. Did you mean 'brief'? There are: brief, criteria, "
        "decision, plan, rating, verdict; a plugin can add more (see `ste plugins`).",
    ),
    Row(
        "a strategy that there is not",
        run_with(pairs="{strategies: [worse]}"),
        RUN,
        2,
        "pairs.strategies: no 'worse'. There are: altered-answer, ask-for-worse, "
        "borrowed-opening, checked-answer, decomposed-vs-oneshot, empty-opener, inject-error, "
        "majority-answer, modified-instruction, modified-instruction-two-calls, "
        "other-instruction, padded-either, padded-worse, restyled-worse, stronger-vs-weaker; a "
        "plugin can add more (see `ste plugins`).",
    ),
    Row(
        "a strategy that asks a second model where none is named",
        run_with(pairs="{strategies: [stronger-vs-weaker]}"),
        RUN,
        2,
        "pairs.strategies: found a strategy that asks a second model, and no such model. Name one "
        "that answers worse than the generator: pairs.weaker: {model: …, engine: …}.",
    ),
    Row(
        "two generators that are one model",
        run_with(pairs="{strategies: [stronger-vs-weaker], weaker: {model: some/judge}}"),
        RUN,
        2,
        "pairs.weaker: found the generator's own model (some/judge); expected one that answers "
        "worse: of two samples of one model nobody knows which is better. Name another model, or "
        "use another of pairs.strategies.",
    ),
    Row(
        "a weaker model that no strategy asks",
        run_with(pairs="{weaker: {model: m}}"),
        RUN,
        2,
        "pairs.weaker: no strategy among pairs.strategies asks it. Add stronger-vs-weaker there, "
        "or remove the model.",
    ),
    Row(
        "samples of which there is no majority",
        run_with(pairs="{strategies: [majority-answer], samples: 1}"),
        RUN,
        2,
        TO_FIX + "pairs.samples: found 1; expected 2 or more",
    ),
    Row(
        "an engine that is nearly right",
        run_with(judge="{model: m, engine: htpp}"),
        RUN,
        2,
        "engine: no 'htpp'. Did you mean 'http'? There are: auto, decisions, http, local, "
        "ray, serve, vllm; a plugin can add more (see `ste plugins`).",
    ),
    Row(
        "a cluster within a cluster",
        run_with(judge="{model: m, engine: ray, options: {engine: ray}}"),
        RUN,
        2,
        "options of engine ray: 1 setting(s) to fix:\n  engine: found 'ray'; a replica cannot be "
        "a cluster: expected vllm, local or serve",
    ),
    Row(
        "an engine that each machine of a cluster would pick for itself",
        run_with(judge="{model: m, engine: ray, options: {engine: auto}}"),
        RUN,
        2,
        "options of engine ray: 1 setting(s) to fix:\n  engine: found 'auto', which may be "
        "another engine on each machine; expected vllm, local, serve, http or a plugin's",
    ),
    Row(
        "the options of a cluster's engine beside the cluster's own",
        run_with(judge="{model: m, engine: ray, options: {dtype: float32}}"),
        RUN,
        2,
        "options of engine ray: 1 setting(s) to fix:\n  dtype: unknown key; there are: address, "
        "engine, engine_options, replicas, gpus_per_replica, cpus_per_replica, resources, "
        "autoscaling, start_timeout_s",
    ),
    Row(
        "a wrong option of a cluster's engine",
        run_with(
            judge="{model: m, engine: ray, options: {engine: local, engine_options: {dtyp: x}}}"
        ),
        RUN,
        2,
        "options of engine local: 1 setting(s) to fix:\n  dtyp: unknown key; did you mean 'dtype'?",
    ),
    Row(
        "an option that the engine lacks",
        run_with(judge="{model: m, engine: local, options: {dtyp: float32}}"),
        RUN,
        2,
        "options of engine local: 1 setting(s) to fix:\n  dtyp: unknown key; did you mean 'dtype'?",
    ),
    Row(
        "an option with a value that there is not",
        run_with(judge="{model: m, engine: local, options: {dtype: fp8}}"),
        RUN,
        2,
        "options of engine local: 1 setting(s) to fix:\n  dtype: found 'fp8'; expected 'auto', "
        "'float32', 'bfloat16' or 'float16'",
    ),
    Row(
        "an http engine without an address",
        run_with(judge=served()),
        RUN,
        2,
        "options of engine http: 1 setting(s) to fix:\n  base_url: missing; where the server is, "
        "such as http://localhost:8000/v1 (or "
        "endpoints, for several)",
    ),
    Row(
        "an address without http",
        run_with(judge=served(base_url="localhost:8000/v1")),
        RUN,
        2,
        "options of engine http: 1 setting(s) to fix:\n  base_url: expected an address with "
        "http:// or https://, as http://localhost:8000/v1",
    ),
    Row(
        "an address with a port beyond all",
        run_with(judge=served(base_url="http://localhost:80000/v1")),
        RUN,
        2,
        "options of engine http: 1 setting(s) to fix:\n  base_url: expected a port up to 65535, "
        "as in http://localhost:8000/v1",
    ),
    Row(
        "iterations of a judge that cannot be replaced",
        run_with(iterations="2", judge=served(base_url="http://127.0.0.1:9/v1")),
        RUN,
        2,
        "judge.engine: http cannot judge with the model that was trained first, as your "
        "server keeps serving the seed. Set judge.engine: serve (a vLLM server that the run starts "
        "with whichever model it needs), vllm or local (the generator may stay http), or "
        "iterations: 1 and one training.recipe.",
    ),
    Row(
        "stages of a judge that cannot be replaced",
        run_with(
            training="{recipe: [sft-lora-8b, dpo-lora-8b]}",
            judge=served(base_url="http://127.0.0.1:9/v1"),
        ),
        RUN,
        2,
        "judge.engine: http cannot judge with the model that was trained first, as your "
        "server keeps serving the seed. Set judge.engine: serve (a vLLM server that the run starts "
        "with whichever model it needs), vllm or local (the generator may stay http), or "
        "iterations: 1 and one training.recipe.",
    ),
    Row(
        "personal data of a kind that there is not",
        run_with(privacy="{scrub: [emails]}"),
        RUN,
        2,
        TO_FIX
        + "privacy.scrub.0: found 'emails'; expected 'email', 'phone', 'card', 'iban', 'ip', "
        "'key' or 'name'",
    ),
    Row(
        "a phone region that there is not",
        run_with(privacy="{scrub: [phone], phone_regions: [UK]}"),
        RUN,
        2,
        "privacy.phone_regions: no region 'UK'; expected two letters of ISO 3166, such as US, GB "
        "(not UK), DE.",
    ),
    Row(
        "a backend that lm-eval has not",
        run_with(evaluation="{backend: vlm}"),
        RUN,
        2,
        "evaluation.backend: lm-eval has no 'vlm'. Did you mean 'vllm'? There are: {host}, vllm, "
        "{host}.",
    ),
    Row(
        "a stage that there is not",
        run_with(),
        "ste run ste.yaml --from evaluate",
        2,
        "--from: expected one of pool, generate, train, eval, found 'evaluate'; --iteration says "
        "from which iteration on.",
    ),
    Row(
        "an iteration to redo that the run does not have",
        run_with(),
        "ste run ste.yaml --from generate --iteration 7",
        2,
        "--iteration: found 7; expected one from 1 to 1, as the config says iterations: 1. Give "
        "one of these.",
    ),
    Row(
        "a data set of the seed",
        run_with(),
        "ste generate ste.yaml --iteration 0",
        2,
        "--iteration: found 0; expected one from 1 to 1, as the config says iterations: 1. Give "
        "one of these.",
    ),
    Row(
        "labels that YAML takes for booleans",
        run_with(evaluation="{pairs: {mine: {path: mine.jsonl, labels: {yes: A, no: B}}}}"),
        RUN,
        2,
        TO_FIX
        + "evaluation.pairs.mine.labels: found true, which YAML makes of yes, on and true without "
        "quotes; expected labels as the file writes them. Put them in quotes, as {'yes': A, 'no': "
        "B}; those of JSON's true and false are 'True' and 'False'",
    ),
    Row(
        "a starter config over a file",
        {"ste.yaml": "mine: true\n"},
        "ste init",
        2,
        "ste.yaml: exists already; give another name: `ste init other.yaml`.",
    ),
]
