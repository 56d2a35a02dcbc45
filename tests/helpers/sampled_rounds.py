"""What sampling a round's judgments leaves on disk, of judges that are right as often as told."""

import random
from pathlib import Path

from ste_plugin.sampling.judge_task import CORRECT, WRONG, JudgeTask
from ste_plugin.sampling.pass_rates import estimate_pass_rate
from ste_plugin.sampling.stopping_rules import RULES
from ste_plugin.storage.jsonl import read_json, replace_json, replace_records
from tests.helpers.builders import judgment

CAP = 15


def sampled(folder: Path, skills, rule="until_correct", seed=1) -> Path:
    """Write what sampling a judge leaves: of each pair, shown as A, its chance to be right."""
    draw, judgments, rates = random.Random(seed), [], []
    for n, skill in enumerate(skills):
        task = JudgeTask([], 0, f"p{n}", "A")
        while more := RULES[rule](task.counts(), CAP):
            drawn = (CORRECT if draw.random() < skill else WRONG for _ in range(more))
            task.outcomes += "".join(drawn)
        verdicts = ["A" if outcome == CORRECT else "B" for outcome in task.outcomes]
        judgments += [judgment(f"p{n}", "A", v, i) for i, v in enumerate(verdicts)]
        rates.append(estimate_pass_rate(task, RULES[rule], CAP))
    return written(folder, judgments, rates, rule)


def written(folder: Path, judgments, rates=(), rule="fixed", samples=CAP) -> Path:
    """Write these judgments and pass rates, and the settings that they were sampled by."""
    replace_records(folder / "judgments.jsonl", judgments)
    replace_records(folder / "pass_rates.jsonl", rates)
    judging = {"samples": samples, "sampling": rule}
    told = {"settings": {"judging": judging}, "judged_by": {"iteration": 0, "stage": 0}}
    manifest = folder / "dataset/manifest.json"
    replace_json(manifest, (read_json(manifest) if manifest.exists() else {}) | told)
    return folder
