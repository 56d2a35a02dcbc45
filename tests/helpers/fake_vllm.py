"""A program that stands for vLLM's server: has its command line, serves `babble`, can fail.

Its last argument, behind `--then`, is what it does: JSON with `words` (what it prints before it
ends while loading), `calls` (after how many it dies), `never` (is never ready), `pids` (a file for
the ids of itself and of a child that ignores SIGTERM).
"""

import argparse
import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # where vLLM would be, a path names this program

from tests.helpers.chat_server import babble

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name, left = "", 1_000_000

    def log_message(self, *args):
        return

    def do_GET(self):
        self._send(200, {"data": [{"id": self.name}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["model"] != self.name:
            return self._send(404, {"error": {"message": "no such model"}})
        Handler.left -= 1
        if Handler.left < 0:
            sys.stdout.write(
                "(Worker pid=7) ERROR 11-21 11:01:22 [x.py:9] RuntimeError: the device is lost\n"
            )
            sys.stdout.flush()
            os._exit(3)
        choices = []
        for index in range(body.get("n") or 1):
            said = babble(body, index)
            message = {"role": "assistant", "content": said.text}
            choices.append(
                {"index": index, "message": message, "finish_reason": said.finish_reason}
            )
        usage = {"prompt_tokens": 5, "completion_tokens": len(choices)}
        return self._send(200, {"model": self.name, "choices": choices, "usage": usage})

    def _send(self, status, reply):
        content = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--served-model-name", "--name", dest="name")
    parser.add_argument("--then", type=json.loads, default={})
    known, _ = parser.parse_known_args()
    then = known.then
    sys.stdout.write(f"told {json.dumps(sys.argv[1:])}\n")
    sys.stdout.write(f"sees GPUs {os.environ.get('CUDA_VISIBLE_DEVICES')}\n")
    sys.stdout.flush()
    if "pids" in then:
        child = subprocess.Popen([sys.executable, "-c", STUBBORN])
        written = Path(then["pids"] + ".part")
        written.write_text(f"{os.getpid()} {child.pid}")
        written.rename(then["pids"])
    if "words" in then:
        sys.exit(then["words"])
    if "never" in then:
        time.sleep(600)
    Handler.name, Handler.left = known.name, then.get("calls", Handler.left)
    ThreadingHTTPServer(("127.0.0.1", known.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
