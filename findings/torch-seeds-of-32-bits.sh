#!/usr/bin/env bash
# torch 2.13.0, random numbers on a CPU.
# Expected: `Generator.manual_seed` takes a 64-bit seed, so seeds hashed from, say, the keys of requests each give a stream of their own.
# It does: the CPU generator uses the low 32 bits only and drops the others without a word (`initial_seed()` still shows all 64).
# Of 100,000 hashed seeds about one pair then shares every number (100,000² / 2 / 2³²). NumPy's generators use the whole seed.
#
# Seen: torch 2.13.0+cpu
#       seed 7:           [0.5349, 0.1988, 0.6592, 0.6569]
#       seed 7 + 2**32:   [0.5349, 0.1988, 0.6592, 0.6569]   initial_seed() = 4294967303
#       100,000 hashed seeds: 1 pair shares its numbers
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
cd "$work"
cat > seeds.py <<'PY'
import hashlib

import numpy
import torch


def drawn(seed):
    generator = torch.Generator().manual_seed(seed)
    return generator, torch.rand(4, generator=generator)


print("torch", torch.__version__)
_, low = drawn(7)
generator, high = drawn(7 + 2**32)
print(f"seed 7:           {[round(x, 4) for x in low.tolist()]}")
print(f"seed 7 + 2**32:   {[round(x, 4) for x in high.tolist()]}   initial_seed() = {generator.initial_seed()}")
assert torch.equal(low, high), "changed: seeds that differ above bit 32 no longer share their numbers"
assert numpy.random.default_rng(7).random() != numpy.random.default_rng(7 + 2**32).random()

hashes = (hashlib.sha256(str(number).encode()).digest()[:8] for number in range(100_000))
first_with = {}
shared = 0
for seed in (int.from_bytes(digest, "little") for digest in hashes):
    other = first_with.setdefault(tuple(drawn(seed)[1].tolist()), seed)
    shared += other != seed
print(f"100,000 hashed seeds: {shared} pair shares its numbers")
assert shared == 1, "changed: another number of hashed seeds share their numbers"
PY
venv/bin/python seeds.py
