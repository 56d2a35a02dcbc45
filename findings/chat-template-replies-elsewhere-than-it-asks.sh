#!/usr/bin/env bash
# Chat templates as TRL 1.9.0 ships them, rendered with Jinja 3.1.6 as transformers does.
# Expected: a whole conversation is the prompt that is asked (add_generation_prompt) and right behind it the reply, so that a model trained on whole
# conversations is asked where it was trained.
# It does: for Qwen3 an empty thought lies between the two, for gpt-oss the header of a channel, for DeepSeek-V3.1 and Qwen3.5 the end of a thought that the
# prompt opens. A trainer that masks all but the reply never teaches these words, and a model asked at the prompt is asked where it learnt nothing.
#
# Seen: TRL 1.9.0
#       qwen2_5.jinja         reply behind the prompt
#       llama3.jinja          reply behind the prompt
#       qwen3.jinja           between them: '<think>\n\n</think>\n\n'
#       gptoss.jinja          between them: '<|channel|>final<|message|>'
#       deepseekv3.jinja      not the prompt at all
#       qwen3_5_think.jinja   between them: '\n</think>\n\n'
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "jinja2==3.1.6"
"$work/venv/bin/pip" install --quiet --no-deps "trl==1.9.0"
cd "$work"
cat > between.py <<'PY'
import datetime
import json
from importlib.metadata import distribution

from jinja2.sandbox import ImmutableSandboxedEnvironment

folder = distribution("trl").locate_file("trl/chat_templates")
environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
environment.filters["tojson"] = lambda value, **_: json.dumps(value)
environment.globals["strftime_now"] = lambda form: datetime.datetime(2025, 1, 1).strftime(form)
environment.globals["raise_exception"] = lambda message: (_ for _ in ()).throw(ValueError(message))
ASKED = [{"role": "user", "content": "Is seven a prime?"}]
REPLY = "It is indeed."
EXPECTED = {
    "qwen2_5.jinja": "",
    "llama3.jinja": "",
    "qwen3.jinja": "<think>\n\n</think>\n\n",
    "gptoss.jinja": "<|channel|>final<|message|>",
    "deepseekv3.jinja": None,
    "qwen3_5_think.jinja": "\n</think>\n\n",
}
print("TRL", distribution("trl").version)
for name, expected in EXPECTED.items():
    template = environment.from_string((folder / name).read_text())
    values = {"bos_token": "<bos>", "eos_token": "<eos>"}
    prompt = template.render(messages=ASKED, add_generation_prompt=True, **values)
    whole = template.render(messages=[*ASKED, {"role": "assistant", "content": REPLY}], add_generation_prompt=False, **values)
    between = whole[len(prompt) : whole.index(REPLY)] if whole.startswith(prompt) else None
    told = "not the prompt at all" if between is None else f"between them: {between!r}" if between else "reply behind the prompt"
    print(f"{name:<21} {told}")
    assert between == expected, f"changed: {name} has {between!r} between prompt and reply"
PY
venv/bin/python between.py
