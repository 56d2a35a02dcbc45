"""Publishing to a hub, through huggingface_hub: what is there already is not sent again."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ste_plugin import __version__
from ste_plugin.errors import ConfigError, EngineError
from ste_plugin.publish.files import Content, Repository, size_of
from ste_plugin.text.redaction import redact

if TYPE_CHECKING:
    from huggingface_hub import HfApi

INSTALL = "pip install 'ste-plugin[publish]'"
_OF_HUBS = (".gitattributes",)
"""What a hub puts into a new repository."""
_NONSENSE = (ValueError, LookupError, TypeError, AttributeError)
"""What huggingface_hub 1 makes of answers that are no hub's, as of a proxy's page or of `{}`."""
_MOST_SAID = 400
_ENDINGS = {"model": "", "dataset": "-data"}


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What became of one repository."""

    name: str
    kind: str
    url: str
    sent: tuple[str, ...]
    already_there: tuple[str, ...]


def repository_name(name: str, repository: Repository) -> str:
    """Return what a repository is called on a hub: the data set's ends in `-data`."""
    return name + _ENDINGS[repository.kind]


def open_hub(name: str) -> "HfApi":
    """Return the hub's API, with the token that the environment or a login has.

    Raises: ConfigError where there is none, the name is no name, or hubs are switched off.
    """
    try:
        from huggingface_hub import HfApi, constants, get_token
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils._validators import validate_repo_id
    except ImportError as error:
        raise ConfigError(
            f"--to: hub: needs huggingface_hub, which is not installed ({error}). {INSTALL}"
        ) from error
    try:
        validate_repo_id(f"{name}-data")
    except HFValidationError as error:
        raise ConfigError(f"--to: hub:{name}: {error}") from error
    if name.count("/") != 1:
        raise ConfigError(f"--to: found hub:{name}; expected hub:ORG/NAME.")
    if constants.HF_HUB_OFFLINE:
        raise ConfigError(
            "--to: HF_HUB_OFFLINE is set, so that no hub is reached. Unset it, or publish into a "
            "folder: --to FOLDER."
        )
    if not get_token():
        raise ConfigError(
            "--to: no token of the hub: nobody could write there. Log in (`hf auth login`) or set "
            "HF_TOKEN, with a token that may write."
        )
    return HfApi(library_name="ste-plugin", library_version=__version__)


def upload(
    api: "HfApi",
    name: str,
    repository: Repository,
    *,
    private: bool,
    say: Callable[[str], None] = lambda _: None,
) -> Uploaded:
    """Put a repository's files onto a hub, in one commit; those that are there are left alone.

    What a run that was cut off had sent is not sent again: contents go by their hashes.
    Raises: ConfigError where the name belongs to something else; EngineError where the hub refuses.
    """
    from huggingface_hub import CommitOperationAdd

    kind, files = repository.kind, repository.files
    by_hash: dict[str, str] = {}
    with _explained(name, kind, by_hash):
        url = _open_repository(api, name, kind, private)
        there = _files_there(api, name, kind)
        _refuse_strange(name, kind, there, repository)
        missing = [n for n, content in files.items() if not _same(content, there.get(n))]
        done = tuple(n for n in files if n not in missing)
        if done:
            say(f"{name} ({kind}): already there: {len(done)} of {len(files)} files")
        if missing:
            size = sum(size_of(files[n]) for n in missing)
            say(f"{name} ({kind}): sending {len(missing)} files, {size:,} bytes")
            additions = [CommitOperationAdd(n, _sendable(files[n])) for n in missing]
            by_hash |= {a.upload_info.sha256.hex(): a.path_in_repo for a in additions}
            message = "Publish with ste-plugin"
            api.create_commit(name, additions, repo_type=kind, commit_message=message)
    return Uploaded(name, kind, url, tuple(missing), done)


def _sendable(content: Content) -> Any:
    return str(content) if isinstance(content, Path) else content


def _open_repository(api: "HfApi", name: str, kind: str, private: bool) -> str:
    """Return the address of a repository, which is made where there is none.

    Raises: ConfigError where all can read one that is to be private.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = api.repo_info(name, repo_type=kind)
    except RepositoryNotFoundError:
        return str(api.create_repo(name, repo_type=kind, private=private or None))
    if private and not info.private:
        raise ConfigError(
            f"--to: hub:{name}: there is such a {kind}, which all can read, and --private is "
            "given. Make it private on the hub, or name another one."
        )
    return f"{api.endpoint}/{'datasets/' if kind == 'dataset' else ''}{name}"


def _files_there(api: "HfApi", name: str, kind: str) -> dict[str, Any]:
    """Return path → file of a repository."""
    from huggingface_hub.hf_api import RepoFile

    tree = api.list_repo_tree(name, recursive=True, repo_type=kind)
    return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}


def _refuse_strange(name: str, kind: str, there: dict[str, Any], repository: Repository) -> None:
    strange = sorted(set(there) - {*repository.files, *repository.beside, *_OF_HUBS})
    if strange:
        raise ConfigError(
            f"--to: hub:{name}: there is such a {kind}, with files that are not of this "
            f"publication: {', '.join(strange[:3])}{', …' if len(strange) > 3 else ''}. Beside "
            "them it would be neither. Name another one, or delete these files on the hub."
        )


def _same(content: Content, there: Any) -> bool:
    """Return whether a file on a hub has this content, by its hash."""
    if there is None or there.size != size_of(content):
        return False
    large = there.lfs
    digest = hashlib.sha256() if large else hashlib.sha1(b"blob %d\0" % size_of(content))
    if isinstance(content, bytes):
        digest.update(content)
    else:
        with content.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return bool(digest.hexdigest() == (large.sha256 if large else there.blob_id))


@contextmanager
def _explained(name: str, kind: str, by_hash: Mapping[str, str]) -> Iterator[None]:
    """Turn what a hub refuses, and that it cannot be reached, into errors with a cure.

    `by_hash`: hash of a file, which hubs name it by → its name.
    """
    import httpx
    from huggingface_hub.errors import HfHubHTTPError

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells of every retry
    where = f"--to: hub:{name} ({kind})"
    try:
        yield
    except HfHubHTTPError as error:
        raise EngineError(f"{where}: {_refusal(error)}") from error
    except (httpx.TransportError, OSError) as error:
        raise EngineError(
            f"{where}: the hub cannot be reached ({_short(error)}). Is the network up, and "
            f"HF_ENDPOINT right? {_GOES_ON}"
        ) from error
    except _NONSENSE as error:
        said = _short(error)
        for digest, file in by_hash.items():
            said = said.replace(digest, file)
        raise EngineError(
            f"{where}: the hub refused a file, or its answer makes no sense: {said}. "
            f"Is HF_ENDPOINT a hub's, with no proxy's page in between? {_GOES_ON}"
        ) from error


_GOES_ON = "The same command goes on, and sends nothing twice."


def _refusal(error: Any) -> str:
    """Return what a hub's refusal means, and what to do about it."""
    status = error.response.status_code if error.response is not None else 0
    said = _short(getattr(error, "server_message", None) or error)
    if status == 401:
        return (
            f"the hub does not take this token (401: {said}). Log in again (`hf auth login`), or "
            "set HF_TOKEN to one that is valid."
        )
    if status == 403:
        return (
            f"this token may not write there (403: {said}). Use one with the right to write, of a "
            "member of that organisation; or name a place of your own."
        )
    if status == 404:
        return f"no such organisation or repository (404: {said}). Is the name right?"
    if status == 409:
        return (
            f"the name is taken by something that this token cannot see, or somebody else writes "
            f"there just now (409: {said}). Name another one, or run the command again."
        )
    if status in (408, 429) or status >= 500:
        return (
            f"the hub is down or busy ({status}: {said}). Try again later: "
            f"{_GOES_ON[0].lower()}{_GOES_ON[1:]}"
        )
    return f"the hub refused it ({status}: {said})."


def _short(error: object) -> str:
    """Return what was said on one line, without secrets, and not too much of it."""
    line = " ".join(redact(str(error)).split())
    line = line if len(line) <= _MOST_SAID else f"{line[:_MOST_SAID]}…"
    return line.rstrip(".") or type(error).__name__
