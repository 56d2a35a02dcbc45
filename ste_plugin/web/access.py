"""Who may talk to the local server: the browser that has the link, from the server's own pages."""

from dataclasses import dataclass
from hmac import compare_digest
from urllib.parse import quote

from starlette.requests import Request

READS = frozenset({"GET", "HEAD"})
_MAX_BODY_BYTES = 1 << 20
"""Of a write; what pages send is a few hundred bytes."""

Refusal = tuple[int, str]
"""An HTTP status, and what the person reads."""


@dataclass(frozen=True, slots=True)
class Access:
    """The secret of one server, and the names that it answers to."""

    token: str
    port: int

    @property
    def hosts(self) -> frozenset[str]:
        """What the Host header may be.

        A foreign name that was made to point to this machine (DNS rebinding) is none of them.
        """
        return frozenset(f"{name}:{self.port}" for name in ("127.0.0.1", "localhost"))

    @property
    def cookie(self) -> str:
        """The cookie's name: browsers send cookies to every port of a host."""
        return f"ste_{self.port}"

    def is_token(self, text: str) -> bool:
        """Return whether a text is the token, in a time that does not tell how much of it fits."""
        return compare_digest(text.encode(errors="replace"), self.token.encode())

    def refuse_origin(self, request: Request) -> Refusal | None:
        """Return why a request comes from elsewhere than this server's own pages, or None."""
        host = request.headers.get("host", "")
        if host not in self.hosts or len(request.headers.getlist("host")) != 1:
            return 403, (
                f"This server answers at http://127.0.0.1:{self.port} alone. Forwarded from another"
                " machine, it needs the same port number on both sides: "
                f"ssh -L {self.port}:127.0.0.1:{self.port} MACHINE"
            )
        if request.method in READS:
            return self._refuse_read(request)
        return self._refuse_write(request, host)

    def _refuse_read(self, request: Request) -> Refusal | None:
        """Refuse what a page of another origin loads; a link to here may be followed from there."""
        headers = request.headers
        ours = headers.get("sec-fetch-site", "none") in ("same-origin", "none")
        link = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
        if ours or link == ("navigate", "document"):
            return None
        return 403, "Another site asked for this page."

    def _refuse_write(self, request: Request, host: str) -> Refusal | None:
        headers = request.headers
        if headers.get("origin") != f"http://{host}":
            return 403, "Another site asked for this change (Origin)."
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return 403, "Another site asked for this change (Sec-Fetch-Site)."
        size = headers.get("content-length", "")
        if not (size.isascii() and size.isdigit() and len(size) < 10):
            return 411, "A change needs its length told."
        if int(size) > _MAX_BODY_BYTES:
            return 413, f"A change may have {_MAX_BODY_BYTES} bytes."
        return None

    def refuse_stranger(self, request: Request) -> Refusal | None:
        """Return why a request without the cookie is refused, or None."""
        if self.is_token(request.cookies.get(self.cookie, "")):
            return None
        return 403, (
            "This page opens by the link that the command printed, the one with ?token= in it. "
            "If it printed another one meanwhile, use that."
        )


def place_without_token(request: Request) -> str:
    """Return path and query of a request without its token, always on this server."""
    # two slashes at the start would name another host; a browser takes \ for /
    path = "/" + quote(request.scope["path"].lstrip("/\\"))
    query = request.url.remove_query_params("token").query
    return f"{path}?{query}" if query else path
