"""The server of a command: its link, its port, its end."""

import os
import re
import signal
import subprocess
import sys

import httpx
import pytest

from ste_plugin import web
from ste_plugin.errors import ConfigError, HostError
from ste_plugin.web import require_web
from ste_plugin.web.serve import bind
from tests.helpers import environment

PROGRAM = """
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from ste_plugin.web.serve import serve

def bug(request):
    raise RuntimeError("so \\x1b[31mred")

routes = [Route("/", lambda request: PlainTextResponse("hello")), Route("/bug", bug)]
serve(routes, say=lambda text: print(ascii(text), flush=True))
print("ended")
"""


def test_it_prints_a_link_tells_of_bugs_and_ends_by_ctrl_c():
    command = [sys.executable, "-c", PROGRAM]
    started = environment(SSH_CONNECTION="1.2.3.4 5 6.7.8.9 22")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=started) as process:
        told = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=[\w-]{43}", told)
        assert f"ssh -L {url[1]}:127.0.0.1:{url[1]}" in told
        with httpx.Client(base_url=url[0].partition("/?")[0], follow_redirects=True) as client:
            assert client.get(url[0]).text == "hello"
            assert client.get("/bug").status_code == 500
            traceback = process.stdout.readline()
            assert "RuntimeError: so \\x1b[31mred" in traceback
            process.send_signal(signal.SIGINT)
            assert process.stdout.read() == "ended\n"
    assert process.returncode == 0


def test_a_port_in_use_is_named():
    with bind(0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port {port}: the port is in use. Give another"):
            bind(port)


def test_nobody_but_this_machine_is_listened_to():
    with bind(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_library_that_is_missing_is_named(monkeypatch):
    require_web()
    monkeypatch.setattr(web, "_LIBRARIES", ("starlette", "no_such_library"))
    cure = r"no_such_library, not installed\. pip install 'ste-plugin\[web\]'"
    with pytest.raises(HostError, match=cure):
        require_web()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every port")
def test_a_port_of_the_system_is_not_ours():
    with pytest.raises(ConfigError, match="not yours to use"):
        bind(1)
