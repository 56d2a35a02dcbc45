"""Runs in lm-eval's environment: measures one judge on one set of pairs after another.

`python -m ste_plugin.lm_eval_tasks.measure_sets FD` loads the model at the first order and keeps
it. An order is a line of JSON on the socket FD, `{"model": …, "model_args": {…}, "batch_size": …,
"task": …, "include_path": …, "output_path": …, "env": {…}, "by_hand": …}`, and with it comes the
file to which the output about it goes. The answer to an order that was carried out is `DONE`.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

DONE = b"done\n"
_BLOCK_BYTES = 1 << 16


def main(connection: socket.socket) -> None:
    """Carry out orders until there are no more; the first that fails ends the process."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # as lm-eval's own command does
    model = None
    while received := receive(connection):
        order, output = received
        with output_to(output):
            os.environ.update(order["env"])
            sys.stdout.write(f"As this command does:\n{order['by_hand']}\n")
            model = model or load(order)
            measure(model, order)
        connection.sendall(DONE)


def receive(connection: socket.socket) -> tuple[dict[str, Any], int] | None:
    """Return the next order and the file for its output, or None where there are no more."""
    line, files, _, _ = socket.recv_fds(connection, _BLOCK_BYTES, 1)
    while line and not line.endswith(b"\n"):
        line += connection.recv(_BLOCK_BYTES)
    return (json.loads(line), files[0]) if line else None


@contextmanager
def output_to(file: int) -> Iterator[None]:
    """Send what this process and its children write to a file; after an error on to its end."""
    own = [os.dup(1), os.dup(2)]
    for target in (1, 2):
        os.dup2(file, target)
    os.close(file)
    yield
    sys.stdout.flush()
    sys.stderr.flush()
    for target, source in zip((1, 2), own, strict=True):
        os.dup2(source, target)
        os.close(source)


def load(order: Mapping[str, Any]) -> Any:
    """Return the model of an order, loaded as lm-eval's own command loads it."""
    from lm_eval.api.registry import get_model
    from lm_eval.utils import setup_logging

    setup_logging()
    if order["model"] == "decisions":  # lm-eval looks for no backends of others
        import ste_plugin.lm_eval_tasks.decisions_backend  # noqa: F401
    given = order["model_args"]
    more = {"batch_size": order["batch_size"], "device": "cuda:0"}
    return get_model(order["model"]).create_from_arg_obj({**more, **given})


def forget_sets(model: Any) -> None:
    """Have a model as it is loaded, so that a set's figures do not depend on the sets before it."""
    if hasattr(model, "batch_sizes"):  # that fit prompts which may have been shorter
        model.batch_sizes = {}
    shared: Any = getattr(model, "_model_generate", None)
    if hasattr(shared, "forget"):
        shared.forget()


def measure(model: Any, order: Mapping[str, Any]) -> None:
    """Measure a model on a task, and save what lm-eval's own command saves."""
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager
    from lm_eval.utils import make_table

    forget_sets(model)
    tracker = EvaluationTracker(output_path=order["output_path"])
    manager = TaskManager(
        include_path=order["include_path"],
        include_defaults=False,  # thousands of tasks, none of which is asked for
        metadata=order["model_args"],
    )
    results = simple_evaluate(
        model,
        order["model_args"],
        tasks=[order["task"]],
        task_manager=manager,
        batch_size=order["batch_size"],
        log_samples=True,
        apply_chat_template=True,
        evaluation_tracker=tracker,
    )
    if results is None:  # one of several processes saves them
        return
    results["config"]["model"] = tracker.general_config_tracker.model_source = order["model"]
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for task, rows in samples.items():
        tracker.save_results_samples(task_name=task, samples=rows)
    sys.stdout.write(f"{make_table(results)}\n")


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
