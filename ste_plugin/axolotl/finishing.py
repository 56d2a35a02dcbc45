"""The end of a training: the adapter merged, the judge checked, the training's manifest last.

`python -m ste_plugin.axolotl.finishing CONFIG` merges again what a config has trained.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from axolotl.utils.logging import get_logger

from ste_plugin.axolotl.merge_check import check_merged
from ste_plugin.axolotl.merging import merge
from ste_plugin.axolotl.processes import is_first, leave_others
from ste_plugin.axolotl.unmerged import NAME, Unmerged, read_unmerged
from ste_plugin.engines.model_folder import check_trained_model
from ste_plugin.judging.calibration import Calibration, write_calibration
from ste_plugin.storage import training_manifest
from ste_plugin.storage.durable import remove, sync_files, sync_folder
from ste_plugin.storage.jsonl import replace_json

LOG = get_logger("axolotl.ste_plugin.finishing")


def main(config: str) -> None:
    """Merge the adapter that a config has trained, where that failed."""
    from axolotl.cli.config import load_cfg

    if not is_first(os.environ):
        return
    cfg = load_cfg(config)
    if (done := read_unmerged(Path(cfg.output_dir))) is None:
        sys.exit(
            f"{cfg.output_dir}: no finished training to merge (no {NAME}, or the adapter beside it "
            f"has changed). Train first: axolotl train {config}"
        )
    leave_others()
    cfg.world_size = done.processes  # a base that is loaded whole takes as many GPUs
    merge_judge(cfg, done)


def merge_judge(cfg: Any, done: Unmerged) -> None:
    """Merge the adapter in `output_dir` and write the training's manifest.

    Raises: HostError where the merged judge is not the one that was trained.
    """
    output = Path(cfg.output_dir)
    shutil.rmtree(output / "merged", ignore_errors=True)  # a merge that failed left half of it
    final, method = merge(cfg)
    check_trained_model(final)
    merged = check_merged(done.answers, final, method, cfg)
    write_judge(output, final, done.trained, done.calibration, merged)
    remove(output / NAME)


def write_judge(
    output: Path,
    final: Path,
    trained: Mapping[str, Any],
    calibration: Calibration | None,
    merged: dict[str, Any] | None = None,
) -> None:
    """Write the manifest of a training in `output`, once its judge, in `final`, is on the disk."""
    write_calibration(final, calibration)
    sync_files(final)
    sync_folder(output.absolute().parent)
    judge = {
        "final": str(final.relative_to(output)),
        "seal": training_manifest.digest_files(final),
        "merged": merged is not None,
        "merge": merged,
    }
    replace_json(output / training_manifest.NAME, judge | dict(trained))
    figures = trained["judge"].items()
    told = "".join(f"{', ' if n else ': '}{k} {v:.3f}" for n, (k, v) in enumerate(figures))
    LOG.info("ste: the judge is in %s%s", final, told)


if __name__ == "__main__":
    main(sys.argv[1])
