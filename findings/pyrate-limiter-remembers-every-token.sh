#!/usr/bin/env bash
# pyrate-limiter 4.5.0, holding a client to a number of tokens a minute.
# Expected: `try_acquire(name, weight=20_000)` counts 20,000 at once; what is remembered grows with the calls.
# It does: the bucket in memory holds one entry per unit of weight, so a limit of ten million tokens a minute comes to hold ten million.
#
# Seen: pyrate-limiter 4.5.0
#       1,000 calls of weight 1:       1,000 entries
#       1,000 calls of weight 1,000:   1,000,000 entries
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "pyrate-limiter==4.5.0"
cd "$work"
cat > entries.py <<'PY'
from importlib.metadata import version

from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate


def held(weight):
    bucket = InMemoryBucket([Rate(10_000_000, Duration.MINUTE)])
    limiter = Limiter(bucket)
    for _ in range(1000):
        assert limiter.try_acquire("tokens", weight=weight)
    return len(bucket.items)


print("pyrate-limiter", version("pyrate-limiter"))
light, heavy = held(1), held(1000)
print(f"1,000 calls of weight 1:       {light:,} entries")
print(f"1,000 calls of weight 1,000:   {heavy:,} entries")
assert (light, heavy) == (1000, 1_000_000), "changed: the bucket no longer holds one entry per unit of weight"
PY
venv/bin/python entries.py
