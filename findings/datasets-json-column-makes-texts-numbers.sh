#!/usr/bin/env bash
# datasets 5.2.0, JSON lines with a column whose values are of several types, which becomes a `Json` feature.
# Expected: each value reads back as it was, as it does from a column of texts alone.
# It does: a text that looks like a number or like another JSON value is read as that value, since texts are kept without their quotes beside values
# kept as JSON. An answer "42" becomes the number 42, "null" becomes None and "[1]" a list, only because some other row of the column is no text.
#
# Seen: datasets 5.2.0
#       written: ["42", "null", "[1]", "plain", 7]
#       read:    [42, null, [1], "plain", 7]
#       the same texts without the 7: ["42", "null", "[1]", "plain"]
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "datasets==5.2.0"
cd "$work"
export HF_HUB_OFFLINE=1 HF_HOME="$work/cache"
cat > mixed.py <<'PY'
import json

import datasets

datasets.disable_progress_bars()
TEXTS = ["42", "null", "[1]", "plain"]


def read_back(values, name):
    with open(name, "w") as file:
        file.writelines(json.dumps({"answer": value}) + "\n" for value in values)
    rows = datasets.load_dataset("json", data_files=name, split="train")
    return [row["answer"] for row in rows]


print("datasets", datasets.__version__)
mixed, plain = read_back([*TEXTS, 7], "mixed.jsonl"), read_back(TEXTS, "texts.jsonl")
print("written:", json.dumps([*TEXTS, 7]))
print("read:   ", json.dumps(mixed))
print("the same texts without the 7:", json.dumps(plain))
assert plain == TEXTS, "changed: a column of texts alone does not read back"
assert mixed == [42, None, [1], "plain", 7], "changed: texts in a mixed column are read otherwise now"
PY
venv/bin/python mixed.py
