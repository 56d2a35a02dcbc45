"""Judges whose every verdict is known, and what the real lm-eval reports of them."""

import hashlib
import re

from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.storage.resources import shipped_folder
from tests.helpers.evaluating import simple_evaluate
from tests.helpers.scripted_judge import scripted, told


def drawn(*texts):
    return hashlib.sha256("\n".join(texts).encode()).digest()[0]


# What each judge chooses among answers by letter, and how it rates one: None for no valid reply.
JUDGES = {
    "perfect": (
        lambda shown: next((letter for letter, text in shown.items() if "GOOD" in text), None),
        lambda text: 10 if "GOOD" in text else 1,
    ),
    "always A": (lambda _: "A", lambda _: None),
    "always longer": (
        lambda shown: max(shown, key=lambda letter: len(shown[letter])),
        lambda text: 1 + text.count("More"),
    ),
    "random": (
        lambda shown: sorted(shown)[drawn(*shown.values()) % len(shown)],
        lambda text: 1 + drawn(text) % 10,
    ),
    "never valid": (lambda _: None, lambda _: None),
}


def answers(prompt):
    """The answers that a prompt shows, by letter; under no letter where there is just one."""
    parts = re.split(r"\[Answer ?([A-D]?)\]\n", prompt.split("<assistant>")[0])
    return {letter: text.strip() for letter, text in zip(parts[1::2], parts[2::2], strict=True)}


def judge(name):
    choose, rate = JUDGES[name]

    def reply(prompt):
        shown = answers(prompt)
        said = rate(shown[""]) if "" in shown else choose(shown)
        return f"Hm. [[{said}]]" if said else "I cannot say. [[Neither]]"

    return scripted(reply, lambda prompt, letter: float(choose(answers(prompt)) == letter))


def evaluated(model, folder, tasks, lm_evals_limit=None, **settings):
    """What lm-eval reports of the tasks: task → metric, without its filter's name → value."""
    from lm_eval.tasks import TaskManager

    with told(JudgeSettings(folder, "verdict", **settings)):
        found = simple_evaluate(
            model=model,
            tasks=tasks,
            apply_chat_template=True,
            bootstrap_iters=0,
            limit=lm_evals_limit,
            task_manager=TaskManager(
                include_path=str(shipped_folder("tasks")), include_defaults=False
            ),
        )
    return {
        task: {key.removesuffix(",none"): value for key, value in metrics.items()}
        for task, metrics in found["results"].items()
    }
