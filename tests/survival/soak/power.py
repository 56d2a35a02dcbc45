"""What a power cut leaves: from notes of every fsync, the folder as it would be found after a
cut."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

RECORDER = Path(__file__).parent / "recorder"
Cut = Literal["nothing", "names", "torn"]
CUTS: tuple[Cut, ...] = ("nothing", "names", "torn")
"""What of the unsynced survives: nothing; names (made, renamed, removed) without contents; names,
and
half of what was added to each file."""

There = dict[str, list]
"""Path → [inode, hash of its content, or None for a folder]."""


def recording(watched: Path, notes: Path) -> dict[str, str]:
    """Return what is added to the environment of a program whose fsyncs are noted."""
    notes.mkdir()
    path = f"{RECORDER}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return {"STE_POWER": f"{watched}:{notes}", "PYTHONPATH": path}


class Recording:
    """The notes of a program that has ended."""

    def __init__(self, notes: Path, before: There) -> None:
        """`before`: what was there, and safe, before the program began."""
        self._notes = notes
        lines = (notes / "notes.jsonl").read_text().splitlines()
        self.syncs = [json.loads(line) for line in lines]
        self._before = before

    def cut(self, after: int, kept: Cut, target: Path) -> None:
        """Put into `target` what is found where the power went before the sync of that number was
        done."""
        contents: dict[int, str] = {i: c for i, c in self._before.values() if c}
        names: dict[int, dict[str, int]] = _names(self._before)
        kinds: dict[int, bool] = {i: c is None for i, c in self._before.values()}
        for sync in self.syncs[:after]:
            there: There = sync["there"]
            kinds |= {inode: content is None for inode, content in there.values()}
            synced = next((v for v in there.values() if v[0] == sync["synced"]), None)
            if synced and synced[1] is None:
                names[synced[0]] = _names(there)[synced[0]]
            elif synced:
                contents[synced[0]] = synced[1]
        now: There = (
            self.syncs[after]["there"] if after < len(self.syncs) else self.syncs[-1]["there"]
        )
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        if kept == "nothing":
            self._restore(target, now[""][0], names, contents, kinds)
        else:
            self._restore_names(target, now, contents, torn=kept == "torn")

    def _restore(self, target, inode, names, contents, kinds) -> None:
        for name, child in names.get(inode, {}).items():
            if kinds[child]:
                (target / name).mkdir()
                self._restore(target / name, child, names, contents, kinds)
            else:
                (target / name).write_bytes(self._content(contents.get(child)))

    def _restore_names(
        self, target: Path, now: There, contents: dict[int, str], torn: bool
    ) -> None:
        for path, (inode, content) in now.items():
            if content is None:
                (target / path).mkdir(exist_ok=True)
                continue
            safe, there = self._content(contents.get(inode)), self._content(content)
            added = there[len(safe) :] if there.startswith(safe) else b""
            (target / path).write_bytes(safe + added[: len(added) // 2] * torn)

    def _content(self, name: str | None) -> bytes:
        return (self._notes / name).read_bytes() if name else b""


def there(folder: Path, notes: Path) -> There:
    """Return what is in a folder now, its contents kept beside the notes."""
    import runpy

    module = runpy.run_path(str(RECORDER / "sitecustomize.py"))
    module["_there"].__globals__["NOTES"] = notes
    return dict(module["_there"](folder))


def _names(there: There) -> dict[int, dict[str, int]]:
    """Return inode of a folder → name → inode."""
    found: dict[int, dict[str, int]] = {i: {} for i, content in there.values() if content is None}
    for path, (inode, _) in there.items():
        if path:
            parent, _, name = path.rpartition("/")
            found[there[parent][0]][name] = inode
    return found


def distinct(recording: Recording, folder: Path) -> Iterator[tuple[int, Cut]]:
    """Yield every cut that leaves something else than the ones before."""
    seen: set[str] = set()
    for after in range(len(recording.syncs) + 1):
        for kept in CUTS:
            recording.cut(after, kept, folder)
            state = json.dumps(sorted(_tree(folder)))
            if state not in seen:
                seen.add(state)
                yield after, kept


def _tree(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.rglob("*"):
        yield str(path.relative_to(folder)), path.read_bytes().hex() if path.is_file() else "/"
