#!/usr/bin/env bash
# datasets 5.2.0, `Dataset.save_to_disk(path, num_proc=1)`.
# Expected: `num_proc=1` is one process, this one; at most it does what `map(num_proc=1)` does, which forks a worker.
# It starts new interpreters (the start method `spawn`), each of which imports the main program again before the first row is saved: its
# top level runs three times, for the worker and for a process that passes on its progress. A trainer that takes 20 seconds to import
# pays them again for saving three rows. Without `num_proc` rows are saved in the process itself.
#
# Seen: datasets 5.2.0
#       map(num_proc=1):                the program's top level ran 1 time(s)
#       save_to_disk():                 the program's top level ran 1 time(s)
#       save_to_disk(num_proc=1):       the program's top level ran 3 time(s)
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "datasets==5.2.0"
cd "$work"
cat > saving.py <<'PY'
import sys
from pathlib import Path

import datasets

with Path(f"{sys.argv[1]}.runs").open("a") as runs:
    runs.write("top level\n")

if __name__ == "__main__":
    rows = datasets.Dataset.from_dict({"n": [1, 2, 3]})
    if sys.argv[1] == "map":
        rows.map(lambda row: row, num_proc=1)
    elif sys.argv[1] == "save":
        rows.save_to_disk("saved")
    else:
        rows.save_to_disk("saved-by-one", num_proc=1)
PY
for what in map save save_one; do venv/bin/python saving.py "$what" > /dev/null 2>&1; done
cat > told.py <<'PY'
from pathlib import Path

import datasets

ran = {what: len(Path(f"{what}.runs").read_text().split("\n")) - 1 for what in ("map", "save", "save_one")}
print(f"datasets {datasets.__version__}")
for what, called in {"map": "map(num_proc=1)", "save": "save_to_disk()", "save_one": "save_to_disk(num_proc=1)"}.items():
    print(f"{called + ':':31} the program's top level ran {ran[what]} time(s)")
assert ran["save"] == ran["map"] == 1, "changed: these run the program again, too"
assert ran["save_one"] == 3, "changed: saving by one process no longer runs the program again"
PY
venv/bin/python told.py
