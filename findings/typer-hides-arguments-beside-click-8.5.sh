#!/usr/bin/env bash
# typer 0.25.1 beside click 8.5.1 (pip takes the two together: typer asks for click 8.2.1 or later).
# Expected: `--help` shows what an argument is, as it shows what an option is.
# The help of every argument is missing, without a warning; that of options is there. Beside click 8.4 it is shown, and so it is by
# typer 0.29. axolotl 0.19 and huggingface_hub 1.x hold typer below 0.26, and click is held by neither.
#
# Seen: typer 0.25.1, click 8.5.1: argument not told, option told
#       typer 0.25.1, click 8.4.0: argument told, option told
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
cd "$work"
cat > app.py <<'PY'
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def copy(
    source: Annotated[str, typer.Argument(help="WHAT TO COPY.")],
    target: Annotated[str, typer.Option(help="WHERE TO.")] = "there",
) -> None:
    """Copy."""


app()
PY
told() { grep -q "$1" help.txt && echo told || echo "not told"; }
for click in 8.5.1 8.4.0; do
  venv/bin/pip install --quiet "typer==0.25.1" "click==$click"
  venv/bin/python app.py --help > help.txt
  echo "typer 0.25.1, click $click: argument $(told 'WHAT TO COPY'), option $(told 'WHERE TO')" | tee -a seen.txt
done
expected="typer 0.25.1, click 8.5.1: argument not told, option told
typer 0.25.1, click 8.4.0: argument told, option told"
[ "$(cat seen.txt)" = "$expected" ] || { echo "changed"; exit 1; }
