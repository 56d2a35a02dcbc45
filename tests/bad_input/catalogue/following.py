"""Policies that cannot be followed: of no run, nowhere, not whole, or with no judge to refresh."""

import json

from tests.bad_input.catalogue.row import TINY, Row, served, started

BEST = {"run/report.json": json.dumps({"best": 1, "model": "m"})}

ROWS = [
    Row(
        "a policy without a run",
        {"policy": TINY},
        "ste follow policy",
        2,
        "ste.yaml: neither a run's folder (no run.yaml in it) nor a config. Give one of them.",
    ),
    Row(
        "a policy of a run that is not finished",
        started() | {"policy": TINY},
        "ste follow policy --run run",
        3,
        "{tmp}/run: no trained judge to refresh, as the run is not finished (no report.json). "
        "Finish it: `ste run`.",
    ),
    Row(
        "a policy of a run that ships its seed",
        started() | {"policy": TINY, "run/report.json": json.dumps({"best": 0, "model": "m"})},
        "ste follow policy --run run",
        3,
        "{tmp}/run: no trained judge to refresh: the run ships its seed, as no iteration was "
        "better. Train one that is: more instructions, iterations or other pair strategies.",
    ),
    Row(
        "a policy of a run whose judge a server keeps serving",
        started(judge=served(base_url="http://127.0.0.1:9/v1")) | BEST | {"policy": TINY},
        "ste follow policy --run run",
        2,
        "judge.engine: http cannot judge with a trained model, as your server keeps serving the "
        "seed. Set judge.engine: serve, vllm or local in the run's config (the generator may stay "
        "http).",
    ),
    Row(
        "a policy of a round",
        started(evaluation="{pairs: {run_test: pairs.jsonl}}") | BEST | {"policy": TINY},
        "ste follow policy --run run",
        2,
        "{tmp}/run: evaluation.pairs: found run_test, which is what a round calls the run's own "
        "pairs. Is this the run of a round? Then follow with the run that it belongs to (--run); "
        "else call the pairs something else.",
    ),
    Row(
        "a policy that is nowhere",
        started() | BEST,
        "ste follow policy/step-100 --run run",
        2,
        "policy/step-100: no such folder. Expected a checkpoint's folder, or, with --base-url, the "
        "name of a model at an OpenAI-compatible server.",
    ),
    Row(
        "a policy without a name",
        started() | BEST,
        "ste follow '' --run run",
        2,
        "CHECKPOINT: found nothing; expected a folder, or a name at a server.",
    ),
    Row(
        "a folder of checkpoints as a policy",
        started() | BEST | {"policy/step-90": TINY, "policy/step-100": TINY},
        "ste follow policy --run run",
        3,
        "{tmp}/policy: no policy to follow: no config.json in it. There are models in step-90, "
        "step-100: name one of them.",
    ),
    Row(
        "a policy without a tokenizer",
        started() | BEST | {"policy/config.json": "{}", "policy/model.safetensors": ""},
        "ste follow policy --run run",
        3,
        "{tmp}/policy: no policy to follow: no tokenizer in it (tokenizer.json, tokenizer.model or "
        "vocab.json). Copy the tokenizer's files (tokenizer.json, tokenizer_config.json, "
        "chat_template.jinja) there from the model that the training began with, or give it to the "
        "trainer (processing_class) so that checkpoints have it.",
    ),
    Row(
        "a policy whose shards are not put together",
        started()
        | BEST
        | {
            "policy/config.json": "{}",
            "policy/tokenizer.json": "{}",
            "policy/pytorch_model_fsdp_0/__0_0.distcp": "",
        },
        "ste follow policy --run run",
        3,
        "{tmp}/policy: no policy to follow: no weights in it as safetensors; others are pickles, "
        "which can run code. Shards of a training on several GPUs have to be put together first: "
        "`axolotl merge-sharded-fsdp-weights` of FSDP, zero_to_fp32.py of DeepSpeed. Where the "
        "training still writes there, wait until it has.",
    ),
    Row(
        "an adapter as a policy whose base is gone",
        started()
        | BEST
        | {"policy/adapter_config.json": json.dumps({"base_model_name_or_path": "/gone/base"})},
        "ste follow policy --run run",
        3,
        "{tmp}/policy: no policy to follow: its base /gone/base: no such folder. Set "
        "base_model_name_or_path in its adapter_config.json to where the adapted model lies.",
    ),
    Row(
        "a policy's key without its server",
        started() | BEST,
        "ste follow step-1 --run run --api-key-env KEY",
        2,
        "--api-key-env: found without --base-url. Say which server it is for.",
    ),
    Row(
        "a policy's key in its options",
        started() | BEST,
        "ste follow step-1 --run run --base-url http://127.0.0.1:9/v1 --options api_key=sk-123456",
        2,
        "--options: api_key holds a secret (not shown here). Secrets come from the environment "
        "only: remove it, and name the variable instead (options.api_key_env), or set the one that "
        "the program reads (HF_TOKEN).",
    ),
]
