#!/usr/bin/env bash
# orjson 3.13.0, in place of the standard library's json.
# Expected: a NaN or an infinity is written as json writes it (NaN, Infinity), or refused as orjson refuses other values that JSON lacks.
# It does: both become null without an error. A loss that diverged reads back as a missing one, and a row's column of numbers as one with gaps.
#
# Seen: orjson 3.13.0
#       json:   {"loss": NaN, "perplexity": Infinity}
#       orjson: {"loss":null,"perplexity":null}
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "orjson==3.13.0"
cd "$work"
cat > written.py <<'PY'
import json

import orjson

row = {"loss": float("nan"), "perplexity": float("inf")}
print("orjson", orjson.__version__)
print("json:  ", json.dumps(row))
print("orjson:", orjson.dumps(row).decode())
assert orjson.loads(orjson.dumps(row)) == {"loss": None, "perplexity": None}, "changed: NaN and infinity no longer become null"
try:
    orjson.dumps({"labels": {1, 2}})
except TypeError:
    pass  # what JSON lacks is refused elsewhere
else:
    raise AssertionError("changed: a set is no longer refused")
PY
venv/bin/python written.py
