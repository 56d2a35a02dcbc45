#!/usr/bin/env bash
# ray 2.60.0, `ray.init()`, `ray.shutdown()`.
# Expected: a program's environment is after `ray.shutdown()` what it was before `ray.init()`, or at least what Ray changed concerns Ray alone.
# `PYTHONBREAKPOINT` stays set to Ray's debugger for workers, and every process that the program starts from then on inherits it. There
# `breakpoint()` no longer opens pdb: where the other process's Python has no ray, it warns and does nothing at all. A value that its user
# had set is not put back. (Three variables of Ray's own stay, too: one of them,
# RAY_CLIENT_MODE, is set by the import alone.)
#
# Seen: ray 2.60.0
#       left in the environment: PYTHONBREAKPOINT=ray.util.rpdb._driver_set_trace RAY_AUTH_MODE=token RAY_CLIENT_MODE=0 RAY_USAGE_STATS_ENABLED=0
#       breakpoint() in a Python without ray: RuntimeWarning: Ignoring unimportable $PYTHONBREAKPOINT: "ray.util.rpdb._driver_set_trace"
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "ray==2.60.0"
cd "$work"
cat > leaving.py <<'PY'
import os
import subprocess

os.environ["PYTHONBREAKPOINT"] = "pdb.set_trace"
before = dict(os.environ)

import ray

ray.init(num_cpus=1, include_dashboard=False, logging_level="error")
ray.shutdown()

left = {name: value for name, value in sorted(os.environ.items()) if before.get(name) != value}
print(f"ray {ray.__version__}")
print("left in the environment:", " ".join(f"{name}={value}" for name, value in left.items()))
assert left["PYTHONBREAKPOINT"] == "ray.util.rpdb._driver_set_trace", "changed: the debugger is put back"

# -S: as in another environment, none of this one's packages is there
child = subprocess.run(["python3", "-S", "-c", "breakpoint()"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
(told,) = [line for line in child.stderr.splitlines() if "PYTHONBREAKPOINT" in line]
print("breakpoint() in a Python without ray:", told.split(": ", 1)[1])
assert child.returncode == 0 and "Ignoring unimportable" in told, "changed: a debugger is opened there"
PY
venv/bin/python leaving.py 2> log || { tail -5 log >&2; exit 1; }
