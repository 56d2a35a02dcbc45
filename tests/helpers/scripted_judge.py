"""A backend of lm-eval that says what a test tells it, and the real evaluator that asks it.

Run as a program, it prints what lm-eval reports of one scripted judge in every mode.
"""

import contextlib
import hashlib
import json
import os
import sys
from pathlib import Path

from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.storage.resources import shipped_folder
from tests.helpers.evaluating import simple_evaluate

PAIRS = [
    {
        "id": f"p{i}",
        "subset": subset,
        "prompt": f"Name a fruit, number {i // 2}.",
        "chosen": f"An apple, number {i}.",
        "rejected": "A spade.",
    }
    for i, subset in enumerate(["easy", "easy", "hard, very", "hard, very"])
]
GENERATED, SCORED = "generate_until", "loglikelihood"


def written(path: Path, rows=PAIRS) -> Path:
    """A file of pairs."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pair(key, **changes):
    """One pair of a file, whose texts hold its id."""
    return {
        "id": key,
        "subset": "s",
        "prompt": f"Prompt {key}.",
        "chosen": f"Good {key}.",
        "rejected": f"Bad {key}.",
    } | changes


def picks_the_apple(prompt):
    return "A" if prompt.index("An apple") < prompt.index("A spade") else "B"


def scripted(reply, scores=lambda *_: 0.0):
    """A backend that replies as told and remembers what it was asked."""
    from lm_eval.api.model import LM

    class Scripted(LM):
        def __init__(self):
            super().__init__()
            self.asked = []

        def generate_until(self, requests, disable_tqdm=False):
            self.asked += [(GENERATED, *r.args) for r in requests]
            return [reply(r.args[0]) for r in requests]

        def loglikelihood(self, requests, disable_tqdm=False):
            self.asked += [(SCORED, *r.args) for r in requests]
            return [(scores(*r.args), False) for r in requests]

        def loglikelihood_rolling(self, requests, disable_tqdm=False):
            raise NotImplementedError

        def apply_chat_template(self, chat_history, add_generation_prompt=True):
            turns = "".join(f"<{t['role']}>{t['content']}" for t in chat_history)
            return turns + "<assistant>" * add_generation_prompt

        @property
        def tokenizer_name(self):
            return "scripted"

    return Scripted()


def words(text):
    """A tokenizer whose tokens are words."""
    return [hash(word) for word in text.split()]


def asked(model, kind):
    """The arguments of all requests of one kind, in order of arrival."""
    return [arguments for found, *arguments in model.asked if found == kind]


@contextlib.contextmanager
def told(settings):
    """The environment that tells a task its settings."""
    before = dict(os.environ)
    os.environ.update(settings.environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def run_task(
    model,
    pairs,
    *,
    chat=True,
    tasks=(),
    include=(),
    judge_format="verdict",
    lm_eval_settings=None,
    reported="ste_local",
    **settings,
):
    """What lm-eval itself reports of one task, and its logged samples.

    Metrics come without their filter's name. `tasks`, out of the folder `include`, are asked in the
    same run.
    """
    found = evaluated_by_lm_eval(
        model,
        pairs,
        chat=chat,
        tasks=tasks,
        include=include,
        judge_format=judge_format,
        lm_eval_settings=lm_eval_settings,
        **settings,
    )
    metrics = {k.removesuffix(",none"): v for k, v in found["results"][reported].items()}
    return metrics, found["samples"][reported]


def evaluated_by_lm_eval(
    model,
    pairs,
    *,
    chat=True,
    tasks=(),
    include=(),
    judge_format="verdict",
    lm_eval_settings=None,
    **settings,
):
    """All that lm-eval returns of one evaluation."""
    from lm_eval.tasks import TaskManager

    folders = [str(shipped_folder("tasks")), *([str(include)] if include else [])]
    with told(JudgeSettings(pairs, judge_format, **settings)):
        return simple_evaluate(
            model=model,
            tasks=["ste_local", *tasks],
            apply_chat_template=chat,
            log_samples=True,
            task_manager=TaskManager(include_path=folders, include_defaults=False),
            **(lm_eval_settings or {}),
        )


def drawn_at_random():
    """A judge whose nth reply to a prompt depends on both alone: right, wrong, silent or torn."""
    times = {}

    def reply(prompt):
        times[prompt] = times.get(prompt, 0) + 1
        drawn = hashlib.sha256(f"{times[prompt]} {prompt}".encode()).digest()[0] % 8
        letter = picks_the_apple(prompt) if drawn < 4 else "AABB"[drawn - 4]
        return "<think>[[A]]" if drawn == 7 else f"Because. [[{letter}]]"

    def scores(prompt, letter):
        return -hashlib.sha256((letter + prompt).encode()).digest()[0] / 7

    return scripted(reply, scores)


MODES = {
    "greedy": {},
    "forced": {"force": True},
    "voted": {"votes": 5},
    "all votes": {"votes": 5, "early_stop": False},
    "official": {"mode": "official"},
    "likelier": {"mode": "likelier"},
}


def report(pairs: Path) -> str:
    """What lm-eval reports of one judge in every mode, all logged terms and replies, as JSON."""
    found = {}
    for name, settings in MODES.items():
        metrics, samples = run_task(drawn_at_random(), pairs, **settings)
        found[name] = {
            "metrics": {
                k: v for k, v in metrics.items() if k not in ("alias", "name", "sample_len")
            },
            "samples": [{k: v for k, v in s.items() if not k.endswith("_hash")} for s in samples],
        }
    return json.dumps(found, sort_keys=True)


if __name__ == "__main__":
    told_by_lm_eval, sys.stdout = sys.stdout, sys.stderr
    print(report(Path(sys.argv[1])), file=told_by_lm_eval)
