"""What lm-eval writes, at its pace."""

import json
import time
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

PAUSE_S = 0.01


class EvaluationTracker:
    def __init__(self, output_path: str) -> None:
        self.general_config_tracker = SimpleNamespace()
        self.out = Path(output_path)
        self.stamp = datetime.now().isoformat().replace(":", "-")

    def save_results_aggregated(self, results: dict, samples: dict) -> None:
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self._named("results", "json").write_text(json.dumps(results))

    def save_results_samples(self, task_name: str, samples: list[dict]) -> None:
        with self._named(f"samples_{task_name}", "jsonl").open("w", buffering=1) as file:
            for sample in samples:
                file.write(json.dumps(sample) + "\n")
                time.sleep(PAUSE_S)

    def _named(self, kind: str, ending: str) -> Path:
        return self.out.with_name(f"{kind}_{self.stamp}.{ending}")
