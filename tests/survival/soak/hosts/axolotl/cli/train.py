"""`python -m axolotl.cli.train CONFIG`: writes a model piece by piece, then vouches for it, and
trains nothing."""

import hashlib
import shutil
import sys
import time
from pathlib import Path

import yaml

from ste_plugin.engines.identity import fingerprint
from ste_plugin.storage.dataset_manifest import read_manifest, row_format_of_rl
from ste_plugin.storage.durable import remove, sync_files, sync_folder
from ste_plugin.storage.jsonl import replace_json
from ste_plugin.storage.training_manifest import NAME, config_sha256, digest_files

PIECES, PAUSE_S = 6, 0.03


def main(path: Path) -> None:
    config = yaml.safe_load(path.read_text())
    output, base = Path(config["output_dir"]), Path(config["base_model"])
    data = read_manifest(Path(config["ste"]["manifest"]))
    names = data.training_files(row_format_of_rl(config.get("rl")))
    data.verify(*names)
    output.mkdir(parents=True, exist_ok=True)
    (output / "debug.log").write_text("training\n")
    remove(output / NAME)
    learnt = str((data.sha256(*names), fingerprint(base), config["seed"])).encode()
    written(output / "adapter_model.safetensors", learnt)
    final = output / "merged"
    final.mkdir(exist_ok=True)
    for name in ("config.json", "tokenizer.json", "chat_template.jinja"):
        shutil.copy(base / name, final / name)
    written(final / "model.safetensors", learnt)
    sync_files(final)
    sync_folder(output.parent)
    replace_json(
        output / NAME,
        {
            "final": "merged",
            "seal": digest_files(final),
            "config_sha256": config_sha256(config),
            "data_sha256": data.sha256(*names),
            "base_model": str(base),
            "base_fingerprint": fingerprint(base),
        },
    )


def written(path: Path, learnt: bytes) -> None:
    """Write weights slowly, so that a kill leaves half of them."""
    with path.open("wb", buffering=0) as file:
        for piece in range(PIECES):
            file.write(hashlib.sha256(learnt + bytes([piece])).digest() * 128)
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
