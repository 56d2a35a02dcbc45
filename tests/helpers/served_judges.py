"""A judge behind real HTTP, in a thread of the test."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic, sleep

from ste_plugin import Judge
from ste_plugin.serving.limits import Limits
from ste_plugin.serving.server import JudgeServer, make_server
from ste_plugin.web.serve import bind


class HeldEngine:
    """Says which prompt it was asked, once it may; remembers what it was asked."""

    def __init__(self) -> None:
        self.go_on, self.began = Event(), Event()
        self.prompts: list[str] = []

    @property
    def asked(self) -> int:
        """How many questions it has answered."""
        return len(self.prompts)

    def __call__(self, request) -> str:
        self.began.set()
        assert self.go_on.wait(120)
        instruction = request.messages[-1].content.split("[Instruction]\n")[1].split("\n\n")[0]
        self.prompts.append(instruction)
        return f"About {instruction} [[A]]"


@contextmanager
def served(
    judge: Judge, key: str = "", said: list[str] | None = None, **limits: object
) -> Iterator[tuple[str, JudgeServer]]:
    """Serve a judge at an address until the block ends; what the server says goes to `said`."""
    say = (said if said is not None else []).append
    with bind(0) as listener:
        server, url = make_server(listener, judge, Limits(**limits), key, say)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started)
            yield url, server
        finally:
            server.should_exit = True
            thread.join(120)
            assert not thread.is_alive()


def wait_until(holds) -> None:
    """Return once something holds. Raises: AssertionError where it does not for two minutes."""
    ends = monotonic() + 120
    while not holds():
        assert monotonic() < ends
        sleep(0.01)
