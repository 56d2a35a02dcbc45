"""`python -m axolotl.cli.train`, `python -m lm_eval` and a server that print all they know, and
fail."""

import sys
from pathlib import Path

TALKS = """\
import os, sys, time
for name, value in os.environ.items():
    print(name, "is", value, repr(value))
for name in ("HF_TOKEN", "WANDB_API_KEY", "OPENAI_API_KEY"):
    value = os.environ.get(name, "")
    for letter in value:  # as slow programs write: piece by piece
        sys.stdout.write(letter)
        sys.stdout.flush()
    print()
sys.stderr.write("RuntimeError: 401 for Bearer " + os.environ.get("HF_TOKEN", "") + "\\n")
sys.exit(3)
"""


def talking_python(folder: Path) -> Path:
    """An interpreter that answers what is asked about its packages, and else tells its
    environment."""
    path = folder / "talking-python"
    path.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        "if sys.argv[1] == '-c':\n    print('[\"hf\"]' if 'REGISTRY' in sys.argv[2] else "
        "'STE []' if 'STE' in sys.argv[2] else '\"1.0\"')\n    sys.exit()\n" + TALKS
    )
    path.chmod(0o755)
    return path


def everything_under(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, names included."""
    return {str(p): str(p).encode() + p.read_bytes() for p in folder.rglob("*") if p.is_file()}
