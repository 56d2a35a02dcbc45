"""What somebody without ste would write: an asyncio script with the openai client and a semaphore.

`python judge_with_openai.py TASK.json` prints seconds and tokens; it does not need ste.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI


async def main(task: dict[str, Any]) -> dict[str, Any]:
    """Return the seconds and tokens that all prompts took."""
    client = AsyncOpenAI(base_url=task["base_url"], api_key="none", timeout=3600)
    limit = asyncio.Semaphore(task["in_flight"])

    async def ask(prompt: str) -> Any:
        async with limit:
            return await client.chat.completions.create(
                model=task["model"],
                messages=[{"role": "user", "content": prompt}],
                n=task["samples"],
                max_tokens=task["tokens"],
                temperature=task["temperature"],
                top_p=task["top_p"],
            )

    began = time.perf_counter()
    replies = await asyncio.gather(*map(ask, task["prompts"]))
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "tokens": sum(r.usage.completion_tokens for r in replies),
        "replies": sum(len(r.choices) for r in replies),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))))  # noqa: T201
