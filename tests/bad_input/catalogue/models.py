"""Models that are none, that are broken, or that nobody serves."""

from tests.bad_input.catalogue.row import TINY, Row, run_with, served

EXPECTED = (
    "\nExpected a folder with config.json, tokenizer and safetensors, an adapter's folder, or a "
    "hub id that "
    "can be reached from here."
)
JUDGE = "ste judge model --instruction 'Name a fruit.' --a 'An apple.' --b 'A spade.'"
FIT = "ste recipes fit sft-lora-8b --gpus 8x80 --model "
LLAMA = (
    '{"model_type": "llama", "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, '
    '"num_attention_heads": 1, "vocab_size": 8}'
)

ROWS = [
    Row(
        "a model that is nowhere",
        {},
        JUDGE.replace("model", "./gone/judge"),
        4,
        "./gone/judge: cannot be loaded as a model: no such folder." + EXPECTED,
    ),
    Row(
        "an empty folder for a model",
        {"model": None},
        JUDGE,
        4,
        "{tmp}/model: cannot be loaded as a model: no config.json in it." + EXPECTED,
    ),
    Row(
        "a model whose config is no JSON",
        {"model/config.json": "{"},
        JUDGE,
        4,
        "{tmp}/model: cannot be loaded as a model: its config.json is not JSON." + EXPECTED,
    ),
    Row(
        "a model without a tokenizer",
        {"model/config.json": LLAMA},
        JUDGE,
        4,
        "{tmp}/model: cannot be loaded as a model: no tokenizer in it (tokenizer.json, "
        "tokenizer.model or vocab.json)." + EXPECTED,
    ),
    Row(
        "a model with pickled weights",
        {
            "model/config.json": LLAMA,
            "model/tokenizer.json": "{}",
            "model/pytorch_model.bin": b"\x80\x02",
        },
        JUDGE,
        4,
        "{tmp}/model: cannot be loaded as a model: no weights in it as safetensors; others are "
        "pickles, which can run code." + EXPECTED,
    ),
    Row(
        "a model with torn weights",
        {"model": TINY, "model/model.safetensors": b"\x10" + bytes(7) + b'{"w": {"data_off'},
        JUDGE,
        4,
        "{tmp}/model: cannot be loaded as a model: {tmp}/model/model.safetensors: not a "
        "safetensors file, or torn: its header cannot be read." + EXPECTED,
    ),
    Row(
        "a model with a tokenizer that is none",
        {"model": TINY, "model/tokenizer.json": "{}"},
        JUDGE,
        4,
        "{tmp}/model: cannot be loaded as a model: its files are not what they should be "
        "({host})." + EXPECTED,
    ),
    Row(
        "a model without a chat template",
        {"model": TINY, "model/chat_template.jinja": ""},
        JUDGE,
        4,
        "{tmp}/model: its tokenizer has no chat template, so chat turns cannot be shown to it. "
        "Use an instruction-tuned model, or put chat_template.jinja in its folder.",
    ),
    Row(
        "weights of another shape",
        {"model": TINY, "model/config.json": LLAMA},
        JUDGE,
        4,
        "{tmp}/model: cannot be loaded as a model: its weights have other shapes than its "
        "config.json says." + EXPECTED,
    ),
    Row(
        "an adapter that names no base",
        {"model/adapter_config.json": "{}"},
        JUDGE,
        4,
        "{tmp}/model/adapter_config.json: base_model_name_or_path: found None. Set it to the "
        "folder or hub id of the model that the adapter was trained on.",
    ),
    Row(
        "an adapter whose base is gone",
        {"model/adapter_config.json": '{"base_model_name_or_path": "/gone/base"}'},
        JUDGE,
        4,
        "{tmp}/model: cannot be loaded as a model: its base /gone/base: no such folder." + EXPECTED,
    ),
    Row(
        "a judge in the config that is nowhere",
        run_with(judge="{model: ./models/judge, engine: local}"),
        "ste generate ste.yaml",
        4,
        "./models/judge: cannot be loaded as a model: no such folder." + EXPECTED,
    ),
    Row(
        "a seed that is an adapter alone",
        run_with(judge="{model: adapter, engine: local}")
        | {"adapter/adapter_config.json": '{"base_model_name_or_path": "some/base"}'},
        "ste run ste.yaml",
        2,
        "judge.model: {tmp}/adapter: found a LoRA adapter of some/base; expected a whole model, as "
        "the run trains it with axolotl and measures it with lm-eval. Merge the two (PEFT's "
        "merge_and_unload), save the model and its tokenizer in one folder, and name that. An "
        "adapter's folder will do for generator and pairs.weaker.",
    ),
    Row(
        "a judge that could not be loaded once the pairs are paid for",
        run_with(judge="{model: judge, engine: local}", generator=served(base_url="http://x/v1"))
        | {"judge/config.json": LLAMA, "judge/tokenizer.json": "{}"},
        "ste run ste.yaml",
        2,
        "judge.model: judge: cannot be loaded as a model: no weights in it as safetensors; others "
        "are pickles, which can run code." + EXPECTED,
    ),
    Row(
        "a generator that is an adapter of nobody knows what",
        run_with(generator="{model: adapter, engine: local}")
        | {"adapter/adapter_config.json": "{}"},
        "ste run ste.yaml",
        2,
        "generator.model: adapter: cannot be loaded as a model: {tmp}/adapter/adapter_config.json: "
        "base_model_name_or_path: found None. Set it to the folder or hub id of the model that the "
        "adapter was trained on." + EXPECTED,
    ),
    Row(
        "a hub id that cannot be reached",
        run_with(judge="{model: nobody/nothing, engine: local}"),
        "ste generate ste.yaml",
        4,
        "nobody/nothing: cannot be loaded as a model: no folder of that name here, and as a hub "
        "id: {host}" + EXPECTED,
    ),
    Row(
        "a device that there is not",
        run_with(judge="{model: some/judge, engine: local, options: {device: gpu}}"),
        "ste generate ste.yaml",
        2,
        "options of engine local: 1 setting(s) to fix:\n  device: found 'gpu'; expected auto, "
        "cpu, cuda, cuda:1, mps, xpu or npu",
    ),
    Row(
        "a server that is not there",
        run_with(judge=served(base_url="http://127.0.0.1:9/v1", max_attempts=1)),
        "ste generate ste.yaml",
        4,
        "http://127.0.0.1:9/v1/chat/completions (model 'm'): no usable answer in 1 attempt(s); "
        "the last: ConnectError: [Errno 111] Connection refused.\n"
        "Start the server, or set judge.options.base_url (or the generator's) to where it is.",
    ),
    Row(
        "no size to fit",
        {},
        FIT + "0B",
        2,
        "--model: a model of 0B has no weights. Give a size such as 8B.",
    ),
    Row(
        "a model to fit that is nowhere",
        {},
        FIT + "nobody/nothing",
        2,
        "--model nobody/nothing: no such folder, and no config from the hub ({host}). Give a "
        "folder with config.json, or a size such as 8B.",
    ),
    Row(
        "a model to fit of another family",
        {"model/config.json": '{"model_type": "bert"}'},
        FIT + "model",
        2,
        "model: model_type 'bert', whose parameters are not counted here (known are gemma2, "
        "gemma3, gemma3_text, gpt_oss, llama, ministral, mistral, mistral3, mixtral, phi3, qwen2, "
        "qwen2_5_vl, qwen2_moe, qwen3, qwen3_moe, qwen3_vl, qwen3_vl_moe, smollm3). Give its size "
        "instead, such as --model 8B.",
    ),
    Row(
        "a model to fit without sizes",
        {"model/config.json": '{"model_type": "llama"}'},
        FIT + "model",
        2,
        "model: config.json has no 'hidden_size'. Give a folder with config.json, or a size such "
        "as 8B.",
    ),
    Row(
        "a model to fit with sizes in words",
        {"model/config.json": LLAMA.replace("8,", '"eight",')},
        FIT + "model",
        2,
        "model: config.json has the size 'eight'; expected whole numbers from 1. Give a folder "
        "with config.json, or a size such as 8B.",
    ),
    Row(
        "GPUs without their size",
        {},
        "ste recipes fit --model 8B --gpus 8",
        2,
        "--gpus: found '8', expected GPUSxGB or NODESxGPUSxGB, such as 8x80 for eight GPUs of 80 "
        "GB, or 2x8x80 for two nodes of these.",
    ),
]
