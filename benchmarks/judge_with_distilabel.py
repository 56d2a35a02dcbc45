"""The same prompts and sampling as a distilabel pipeline, as in its documentation.

`python judge_with_distilabel.py TASK.json` prints the seconds that the pipeline ran; it does not
need ste.
"""

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration


def main(task: dict[str, Any]) -> dict[str, Any]:
    """Return the seconds that the pipeline took and how many replies came."""
    with Pipeline(name="judge") as pipeline:
        rows = LoadDataFromDicts(data=[{"instruction": p} for p in task["prompts"]])
        judge = TextGeneration(
            llm=OpenAILLM(
                model=task["model"],
                base_url=task["base_url"],
                api_key="none",
                timeout=3600,
                generation_kwargs={
                    "max_new_tokens": task["tokens"],
                    "temperature": task["temperature"],
                    "top_p": task["top_p"],
                },
            ),
            num_generations=task["samples"],
            group_generations=True,
            input_batch_size=task["batch"],
        )
        rows >> judge
    began = time.perf_counter()
    output = pipeline.run(use_cache=False)
    seconds = time.perf_counter() - began
    generations = output["default"]["train"]["generation"]
    return {"seconds": seconds, "replies": sum(len(g) for g in generations)}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        result = main(json.loads(Path(sys.argv[1]).read_text()))
    print(json.dumps(result))  # noqa: T201
