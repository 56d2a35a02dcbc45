"""A stand-in for a hub on 127.0.0.1: repositories in memory, behind the API that huggingface_hub
speaks (create, info, tree, preupload, LFS, commit), with faults on purpose."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

TOKEN = "hf_standInToken0123456789abcdefghijklmn"
LARGE = (".safetensors", "tokenizer.json")
"""Endings of files that go by LFS."""


@dataclass
class Repo:
    """One repository."""

    private: bool = False
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.bin lfs\n"})
    large: set[str] = field(default_factory=set)
    commits: int = 0


@dataclass(frozen=True)
class Fault:
    """How a call fails."""

    status: int
    said: str = "no"
    times: int = 1000
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Hub:
    """What a stand-in holds, has seen, and how it fails."""

    url: str = ""
    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    """(kind, name) → repository; kinds are `model` and `dataset`."""
    objects: dict[str, bytes] = field(default_factory=dict)
    """Hash of a large file → its content."""
    refused: dict[str, str] = field(default_factory=dict)
    """Hash of a large file → why it is not taken."""
    faults: dict[str, Fault] = field(default_factory=dict)
    """Expression for `METHOD /path` → how that fails."""
    calls: list[str] = field(default_factory=list)

    def files(self, kind: str, name: str) -> dict[str, bytes]:
        """What was published into a repository."""
        held = self.repos[kind, name].files
        return {path: content for path, content in held.items() if path != ".gitattributes"}

    def sent(self) -> int:
        """How many large files were sent so far."""
        return sum(call.startswith("PUT /upload/") for call in self.calls)

    def fault(self, call: str) -> Fault | None:
        for pattern, fault in self.faults.items():
            seen = sum(bool(re.search(pattern, c)) for c in self.calls)
            if re.search(pattern, call) and seen <= fault.times:
                return fault
        return None


@contextmanager
def hub_server() -> Iterator[Hub]:
    """Run a stand-in for the length of the block."""
    hub = Hub()

    class Handler(_Handler):
        held = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    held: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self._body()
        path = self.path.partition("?")[0]
        call = f"{self.command} {path}"
        self.held.calls.append(call)
        if fault := self.held.fault(call):
            self._say(fault.status, {"error": fault.said}, dict(fault.headers))
        elif path.startswith("/upload/"):
            self.held.objects[path.rpartition("/")[2]] = body
            self._say(200, {})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            said = "Invalid credentials in Authorization header"
            self._say(401, {"error": said}, {"X-Error-Message": said})
        else:
            self._serve(path, body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _serve(self, path: str, body: bytes) -> None:
        if path == "/api/validate-yaml":
            self._validate(json.loads(body)["content"])
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif found := re.fullmatch(
            r"/(datasets/)?([\w-]+/[\w-]+)\.git/info/lfs/objects/batch", path
        ):
            self._batch(json.loads(body))
        elif found := re.fullmatch(r"/api/(model|dataset)s/([\w-]+/[\w-]+)(/.*)?", path):
            kind, name, rest = found.groups()
            if (kind, name) not in self.held.repos:
                self._say(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
                return
            self._of_repo(kind, name, (rest or "").split("/")[1:2], body)
        else:
            self._say(404, {"error": f"no {path}"})

    def _of_repo(self, kind: str, name: str, what: list[str], body: bytes) -> None:
        repo = self.held.repos[kind, name]
        match what:
            case []:
                self._say(200, {"id": name, "private": repo.private, "sha": "0" * 40})
            case ["tree"]:
                self._say(200, [self._entry(repo, p) for p in repo.files])
            case ["preupload"]:
                asked = json.loads(body)["files"]
                self._say(200, {"files": [self._planned(repo, f) for f in asked]})
            case ["commit"]:
                self._commit(kind, name, [json.loads(line) for line in body.splitlines()])
            case _:
                self._say(404, {"error": f"no {what}"})

    def _validate(self, card: str) -> None:
        try:
            metadata = yaml.safe_load(card.split("---\n")[1])
            errors = [] if isinstance(metadata, dict) else [{"message": "no mapping"}]
        except (yaml.YAMLError, IndexError) as error:
            errors = [{"message": str(error)}]
        self._say(400 if errors else 200, {"errors": errors, "warnings": []})

    def _create(self, asked: dict[str, Any]) -> None:
        kind, name = asked.get("type", "model"), f"{asked['organization']}/{asked['name']}"
        if (kind, name) in self.held.repos:
            self._say(409, {"error": "You already created this repo"})
            return
        self.held.repos[kind, name] = Repo(asked.get("visibility") == "private")
        prefix = "datasets/" if kind == "dataset" else ""
        self._say(200, {"url": f"{self.held.url}/{prefix}{name}"})

    def _entry(self, repo: Repo, path: str) -> dict[str, Any]:
        content = repo.files[path]
        entry = {"type": "file", "path": path, "size": len(content), "oid": blob_id(content)}
        if path in repo.large:
            sha256 = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 134}
        return entry

    def _planned(self, repo: Repo, asked: dict[str, Any]) -> dict[str, Any]:
        path = asked["path"]
        there = self._entry(repo, path)["oid"] if path in repo.files else None
        mode = "lfs" if path.endswith(LARGE) else "regular"
        return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": there}

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = []
        for each in asked["objects"]:
            answer = {"oid": each["oid"], "size": each["size"]}
            if why := self.held.refused.get(each["oid"]):
                answer["error"] = {"code": 422, "message": why}
            elif each["oid"] not in self.held.objects:
                answer["actions"] = {"upload": {"href": f"{self.held.url}/upload/{each['oid']}"}}
            objects.append(answer)
        self._say(200, {"transfer": "basic", "objects": objects})

    def _commit(self, kind: str, name: str, lines: list[dict[str, Any]]) -> None:
        repo = self.held.repos[kind, name]
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                repo.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repo.files[value["path"]] = self.held.objects[value["oid"]]
                repo.large.add(value["path"])
        repo.commits += 1
        self._say(200, {"commitUrl": f"{self.held.url}/{name}/commit/1", "commitOid": "1" * 40})

    def _say(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
