#!/usr/bin/env bash
# pandas 3.1.1 and zstandard 0.25.0: a CSV file in zstd that was cut off on its way, as by a download that broke.
# Expected: an error, as pandas gives for the same file cut off in gzip, bz2 or xz.
# It does: it gives a shorter table without a word. zstandard's file ends where the data ends, at a block of 128 KiB, and the last row ends within
# a value that pandas takes for the whole one.
#
# Seen: pandas 3.1.1 zstandard 0.25.0
#       gz: EOFError
#       bz2: EOFError
#       xz: EOFError
#       zst: 9254 of 20000 rows, the last value with 16 of 150 characters
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "pandas==3.1.1" "zstandard==0.25.0"
cd "$work"
cat > cut.py <<'PY'
import bz2
import gzip
import lzma
import random

import pandas
import zstandard

rng = random.Random(0)
ROWS = [f"{n},{rng.getrandbits(600):x}" for n in range(20_000)]
CONTENT = ("id,value\n" + "\n".join(ROWS) + "\n").encode()
PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard.compress}


def rows_of_half(ending):
    """How many rows pandas reads of a file of which half is there, and the last value."""
    packed = PACKERS[ending](CONTENT)
    name = f"half.csv.{ending}"
    with open(name, "wb") as file:
        file.write(packed[: len(packed) // 2])
    table = pandas.read_csv(name)
    return len(table), table["value"].iloc[-1]


print("pandas", pandas.__version__, "zstandard", zstandard.__version__)
for ending in ("gz", "bz2", "xz"):
    try:
        found = rows_of_half(ending)
    except (EOFError, OSError) as error:
        print(f"{ending}: {type(error).__name__}")
    else:
        raise AssertionError(f"changed: half a file in {ending} is read: {found}")
count, last = rows_of_half("zst")
whole = ROWS[count - 1].partition(",")[2]
print(f"zst: {count} of {len(ROWS)} rows, the last value with {len(last)} of {len(whole)} characters")
assert count < len(ROWS) and whole.startswith(last) and len(last) < len(whole), "changed"
PY
venv/bin/python cut.py
