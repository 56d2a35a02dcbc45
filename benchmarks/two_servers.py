"""Two stand-in servers with a prefix cache, and how many prompt tokens they compute for a run.

Run as a script, in which `ste_plugin` may be an older one: `python two_servers.py MODE PAIRS`.
"""

import hashlib
import json
import re
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.instant import BETTER
from benchmarks.stage import iteration, make_pairs, run_judging

BLOCK, BLOCKS = 16, 2048
"""A cache of 32,768 tokens at each server, in blocks as vLLM has them."""
IN_FLIGHT, ACCURACY = 16, 0.75
PREFILL_S, ANSWER_S = 20e-6, 0.01
_TOKEN = re.compile(r"\w+|[^\w\s]")

MODES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "calls": ({"samples": False}, {"sampling": "fixed", "samples": 4}),
    "together": ({}, {"sampling": "fixed", "samples": 4}),
    "waves": ({}, {"sampling": "until_correct", "samples": 15}),
}
"""Name → options of the engine, settings of `judging`."""


class Cache:
    """The blocks whose tokens one server has computed, least recently used ones first to go."""

    def __init__(self) -> None:
        self.asked = self.computed = 0
        self._blocks: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, text: str) -> int:
        """Return how many tokens have to be computed for a prompt, which is kept from then on."""
        tokens = _TOKEN.findall(text)
        with self._lock:
            hits, is_hit, name = 0, True, b""
            for start in range(0, len(tokens) // BLOCK * BLOCK, BLOCK):
                block = " ".join(tokens[start : start + BLOCK]).encode()
                name = hashlib.blake2b(name + block, digest_size=16).digest()
                is_hit = is_hit and name in self._blocks
                hits += is_hit
                self._blocks[name] = None
                self._blocks.move_to_end(name)
            while len(self._blocks) > BLOCKS:
                self._blocks.popitem(last=False)
            self.asked += len(tokens)
            self.computed += len(tokens) - hits * BLOCK
        return len(tokens) - hits * BLOCK


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cache: Cache

    def log_message(self, *_: Any) -> None:
        return

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = "\n".join(turn["content"] for turn in body["messages"])
        time.sleep(ANSWER_S + PREFILL_S * self.cache.read(text))
        choices = [
            {"index": i, "finish_reason": "stop", "message": {"content": judge(body, text, i)}}
            for i in range(body.get("n", 1))
        ]
        usage = {"prompt_tokens": len(text) // 4, "completion_tokens": 20 * len(choices)}
        content = json.dumps({"model": body["model"], "choices": choices, "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def judge(body: dict[str, Any], text: str, index: int) -> str:
    """Return a judgment that is right with a given chance, drawn by the seed."""
    drawn = hashlib.blake2b(f"{body['seed'] + index} {text}".encode(), digest_size=4).digest()
    gold = "A" if f"[Answer A]\n{BETTER}" in text else "B"
    is_right = int.from_bytes(drawn) < ACCURACY * 2**32
    return f"Weighed both.\nFinal verdict: [[{gold if is_right else 'BA'[gold == 'B']}]]"


@contextmanager
def stand_in(cache: Cache) -> Iterator[str]:
    """Serve as long as the block runs; the address is yielded."""
    handler = type("Handler", (_Handler,), {"cache": cache})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run(mode: str, pairs: int) -> dict[str, Any]:
    """Return tokens asked and computed at both servers, and a digest of the completions."""
    options, judging = MODES[mode]
    caches = Cache(), Cache()
    with ExitStack() as stack:
        urls = [stack.enter_context(stand_in(cache)) for cache in caches]
        given = {
            "endpoints": [{"base_url": url} for url in urls],
            "concurrency": IN_FLIGHT,
            **options,
        }
        judge_model = {"model": "judge", "engine": "http", "options": given}
        at = stack.enter_context(iteration(judge_model, judging))
        began = time.monotonic()
        judgments, _ = run_judging(at, list(make_pairs(pairs)))
        seconds = time.monotonic() - began
        texts = sorted(f"{j.key} {j.text}" for j in judgments)
    return {
        "asked": sum(c.asked for c in caches),
        "computed": sum(c.computed for c in caches),
        "each": [c.asked for c in caches],
        "seconds": seconds,
        "judgments": len(texts),
        "digest": hashlib.sha256("\n".join(texts).encode()).hexdigest(),
    }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]))))  # noqa: T201
