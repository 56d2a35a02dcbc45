"""What a task's answers are compared with: its own references, or another model's answers."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lm_eval.utils import handle_non_serializable, hash_string

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.integrations.texts import read_answer
from ste_plugin.storage.jsonl import read_rows
from ste_plugin.text.thinking import FAMILIES, ends_in_opening, split_thinking

REFERENCE = "reference"
FindOther = Callable[[Any, Mapping[str, Any]], str]
"""(task, document) → the answer that the model's is compared with, without thoughts."""


def find_other(against: str) -> FindOther:
    """Return where the other answers come from: `reference`, or a file of `--log_samples`.

    Raises: ConfigError where there is no such file, DataError where it holds no answers.
    """
    if against == REFERENCE:
        return reference
    path = Path(against).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"STE_JUDGED_AGAINST: found {against!r}, and no such file; expected {REFERENCE}, or a "
            "file samples_TASK_….jsonl that lm-eval wrote with --log_samples."
        )
    answers = logged_answers(path)

    def logged(_: Any, doc: Mapping[str, Any]) -> str:
        try:
            return answers[doc_hash(doc)]
        except KeyError:
            raise DataError(
                f"{path}: no answer to {str(dict(doc))[:80]}; expected one to each document of "
                "this task. Give samples of the same task, and the same --limit."
            ) from None

    return logged


def reference(task: Any, doc: Mapping[str, Any]) -> str:
    """Return a document's own answer; the first of several.

    Raises: DataError where the task has none.
    """
    target = task.doc_to_target(doc)
    if isinstance(target, list | tuple) and target:
        target = target[0]
    if isinstance(target, int) and not isinstance(target, bool) and task.config.doc_to_choice:
        target = task.doc_to_choice(doc)[target]
    if not isinstance(target, str) or not target.strip():
        raise DataError(
            f"{task.config.task}: the reference of {str(dict(doc))[:80]} is {target!r}; expected "
            "text. Compare with another model's answers: STE_JUDGED_AGAINST=samples_TASK_….jsonl."
        )
    return read_answer(target)


def logged_answers(path: Path) -> dict[str, str]:
    """Return hash of a document → the answer in a file that lm-eval wrote with `--log_samples`.

    A thought that the prompt began and nothing ends is no answer, unless no reply of the file ends
    one: then the backend took thoughts out by itself (`think_end_token`), and left answers.
    Raises: DataError with file and line for a row that is none.
    """
    found: dict[str, tuple[str, Any]] = {}
    for number, row in read_rows(path):
        try:
            reply = row["resps"][0][0]
            key = row["doc_hash"]
        except (KeyError, IndexError, TypeError):
            reply = key = None
        if not isinstance(reply, str) or not isinstance(key, str):
            raise DataError(
                f"{path}:{number}: found {', '.join(list(row)[:6])}; expected doc_hash and resps, "
                "as lm-eval logs them (--log_samples) for a task of output_type generate_until."
            )
        found.setdefault(key, (reply, logged_prompt(row)))  # a row per filter, of the same reply
    if not found:
        raise DataError(f"{path}: no rows in it; expected answers of another model.")
    has_thoughts = any(_ends_thought(reply, prompt) for reply, prompt in found.values())
    return {
        key: read_answer(reply, prompt if has_thoughts else "")
        for key, (reply, prompt) in found.items()
    }


def _ends_thought(reply: str, prompt: Any) -> bool:
    """Return whether a reply ends the thought that its prompt began: mentioned marks end none."""
    return any(
        ends_in_opening(prompt, (marks,)) and split_thinking(reply, (marks,)).thinking
        for marks in FAMILIES
    )


def logged_prompt(row: Mapping[str, Any]) -> Any:
    """Return the prompt of a logged reply as the backend was given it; empty where none is told."""
    try:
        return row["arguments"]["gen_args_0"]["arg_0"]
    except (KeyError, TypeError):
        return ""


def doc_hash(doc: Mapping[str, Any]) -> str:
    """Return a document's hash as lm-eval logs it."""
    text = json.dumps(doc, indent=2, default=handle_non_serializable, ensure_ascii=False)
    return str(hash_string(text))
