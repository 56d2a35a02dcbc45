"""Secrets come from the environment and go nowhere: canaries through all that writes or prints."""

import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ste_plugin.config import HostConfig
from ste_plugin.errors import HostError
from ste_plugin.hosts.run_host import run_host
from ste_plugin.text.redaction import copy_redacted, redact, secret_values
from tests.helpers.chat_server import Refuse, Said, chat_server
from tests.helpers.command import ste
from tests.helpers.fake_hosts import everything_under, talking_python

pytestmark = pytest.mark.usefixtures("warm_hosts")

CANARIES = {
    "OPENAI_API_KEY": "sk-canary-openai-51f3a9",
    "HF_TOKEN": "hf_canaryHubToken77Qz",
    "WANDB_API_KEY": "canary0wandb0key0d41d8",
    "JUDGE_LOGIN": "canary-named-in-config-9",
    "AWS_SECRET_ACCESS_KEY": 'canary/aws+key="quoted"=x1',
}


def leaks(*texts: str | bytes) -> list[str]:
    """The variables whose values stand in any of the texts, in whatever form."""
    found = []
    for text in texts:
        content = text.encode("utf-8", "replace") if isinstance(text, str) else text
        for name, value in CANARIES.items():
            forms = (value, json.dumps(value)[1:-1], value.replace("/", "%2F").replace("+", "%2B"))
            found += [name for form in forms if form.encode() in content]
    return found


def config(folder: Path, base_url: str, model: Path, **more: object) -> None:
    rows = [{"instruction": f"Say number {n}."} for n in range(40)]
    (folder / "instructions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    python = str(talking_python(folder))
    options = {
        "base_url": base_url,
        "api_key_env": "JUDGE_LOGIN",
        "max_attempts": 1,
        "backoff_s": 0.01,
    }
    settings = {
        "run": "run",
        "judge": {
            "model": str(model),
            "engine": "http",
            "options": options | {"accept_model": ["tiny"]},
        },
        "instructions": [{"path": "instructions.jsonl"}],
        "selection": {"selectors": ["exact-duplicates"]},
        "pairs": {"strategies": ["other-instruction"]},
        "judging": {"format": "brief", "samples": 2, "sampling": "fixed"},
        "dataset": {"dev_fraction": 0.2, "test_fraction": 0.2},
        "training": {"recipe": "recipe.yaml"},
        "hosts": {"train": {"python": python}, "eval": {"python": python}},
    }
    (folder / "recipe.yaml").write_text("# purpose: none\nbase_model: x\nadapter: lora\n")
    (folder / "ste.yaml").write_text(json.dumps(settings | more))


def answer(body: dict, _: int) -> Said:
    """An answer, or a judgment for one letter in turn; each tells the key that the caller used."""
    prompt = body["messages"][-1]["content"]
    key = CANARIES["JUDGE_LOGIN"]
    if "[Answer A]" not in prompt:
        return Said(f"Answer to {prompt}, for {key}.")
    asked = prompt.split("[Instruction]\n")[1].split("\n\n[Answer A]")[0]
    first = prompt.split("[Answer A]\n")[1].split("\n\n[Answer B]")[0]
    right = "A" if f"Answer to {asked}," in first else "B"
    return Said(f"You are {key}. Final verdict: [[{right}]]")


def test_a_run_leaves_no_secret_in_any_file_or_output(tiny_model, tmp_path):
    with chat_server(answer, models=(str(tiny_model), "tiny")) as server:
        config(tmp_path, server.base_url, tiny_model)
        generated = ste("generate", "ste.yaml", cwd=tmp_path, **CANARIES)
        assert generated.returncode == 0, generated.stderr
        trained = ste("train", "ste.yaml", cwd=tmp_path, **CANARIES)
        evaluated = ste("eval", "ste.yaml", "--iteration", "0", cwd=tmp_path, **CANARIES)
        told = [
            ste(*c, cwd=tmp_path, **CANARIES)
            for c in (("status", "run"), ("doctor", "ste.yaml"), ("run", "ste.yaml", "--json"))
        ]
    assert set(server.authorizations) == {f"Bearer {CANARIES['JUDGE_LOGIN']}"}
    for host in (trained, evaluated):
        assert host.returncode == 5
        assert "RuntimeError: 401 for Bearer [HF_TOKEN]" in host.stderr
    files = everything_under(tmp_path / "run")
    logs = [name for name in files if name.endswith(".log")]
    assert len(logs) == 2
    for log in logs:
        text = files[log].decode()
        assert "HF_TOKEN is [HF_TOKEN]" in text
        assert "\n[WANDB_API_KEY]\n" in text
        assert "PATH is /" in text
    assert {name: found for name, content in files.items() if (found := leaks(content))} == {}
    assert leaks(*(d.stdout + d.stderr for d in (generated, trained, evaluated, *told))) == []


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_a_server_that_repeats_the_key_in_its_refusal_is_quoted_without_it(
    status, tiny_model, tmp_path
):
    said = f"bad header Authorization: Bearer {CANARIES['JUDGE_LOGIN']} ({CANARIES['HF_TOKEN']})"
    with chat_server(
        answer, models=(str(tiny_model),), fault=lambda _: Refuse(status, said)
    ) as server:
        config(tmp_path, server.base_url, tiny_model)
        done = ste("generate", "ste.yaml", cwd=tmp_path, **CANARIES)
    assert done.returncode == 4
    assert "bad header Authorization: Bearer [" in done.stderr
    assert leaks(done.stdout, done.stderr, *everything_under(tmp_path / "run").values()) == []


def test_a_secret_pasted_into_the_config_is_refused_before_anything_is_written(
    tiny_model, tmp_path
):
    config(tmp_path, "http://127.0.0.1:1", tiny_model, seed_note="x")
    text = (tmp_path / "ste.yaml").read_text().replace("brief", CANARIES["HF_TOKEN"])
    (tmp_path / "ste.yaml").write_text(text)
    done = ste("run", "ste.yaml", cwd=tmp_path, **CANARIES)
    assert done.returncode == 2
    assert "judging.format holds the value of HF_TOKEN" in done.stderr
    assert leaks(done.stderr) == []
    assert not (tmp_path / "run").exists()


def test_a_traceback_of_our_own_mistake_shows_no_secret_and_no_order():
    code = (
        "import os, sys, ste_plugin.cli.entry_point as command\n"
        "@command.app.command('broken')\n"
        "def broken(): raise ZeroDivisionError(os.environ['HF_TOKEN'] + '\\x1b[31m')\n"
        "sys.argv = ['ste', 'broken']; command.main()"
    )
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | CANARIES,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ZeroDivisionError: [HF_TOKEN]\\u001b[31m" in done.stderr
    assert leaks(done.stderr) == []


def test_a_command_that_leaves_a_child_behind_ends_all_the_same(tmp_path):
    child = (
        "import subprocess, sys; "
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']); print('done')"
    )
    import sys

    run_host(
        [sys.executable, "-c", child], env={}, log=tmp_path / "log", timeout_minutes=None, what="it"
    )
    assert (tmp_path / "log").read_text() == "done\n"


def test_a_failing_host_is_quoted_without_the_secrets_it_printed(tmp_path, monkeypatch):
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    python = HostConfig(python=str(talking_python(tmp_path))).python
    with pytest.raises(HostError) as failed:
        run_host([python, "x"], env={}, log=tmp_path / "it.log", timeout_minutes=1, what="it")
    assert leaks(str(failed.value)) == []
    assert set(leaks((tmp_path / "it.log").read_text())) == {
        "JUDGE_LOGIN"
    }  # no config named it a key


@settings(max_examples=100)
@given(
    st.lists(
        st.sampled_from(
            ["secret-1", "secret-12345", "sec", "ret-", "1", "2345", "\n", "é", " secret"]
        )
    ),
    st.lists(st.integers(1, 9), min_size=1),
)
def test_a_secret_is_hidden_however_the_stream_is_cut(parts, sizes):
    text, environ = (
        "".join(parts),
        {"A_TOKEN": "secret-1", "B_KEY": "secret-12345", "SHELL": "sh", "C_KEY": "short"},
    )
    reading, writing = os.pipe()
    written = io.BytesIO()
    content, place, turn = text.encode(), 0, 0
    with os.fdopen(reading, "rb") as source:
        os.write(writing, b"")
        import threading

        copying = threading.Thread(target=copy_redacted, args=(source, written, environ))
        copying.start()
        while place < len(content):
            size = sizes[turn % len(sizes)]
            os.write(writing, content[place : place + size])
            place, turn = place + size, turn + 1
        os.close(writing)
        copying.join()
    found = written.getvalue().decode()
    assert "secret-1" not in found
    assert found.replace("[A_TOKEN]", "secret-1").replace("[B_KEY]", "secret-12345") == text


def test_what_counts_as_a_secret_is_told_by_its_name_and_its_length():
    environ = CANARIES | {
        "HOME": "/home/somebody",
        "TOKENIZERS_PARALLELISM": "false-false",
        "X_KEY": "EMPTY",
        "HF_TOKEN_PATH": "/long/enough",
        "MAX_TOKENS": "123456789",
    }
    assert set(secret_values(environ).values()) == set(CANARIES) - {"JUDGE_LOGIN"}
    assert set(leaks(redact(json.dumps(CANARIES), CANARIES))) == {"JUDGE_LOGIN"}


@pytest.mark.slow
def test_real_axolotl_and_lm_eval_write_no_secret_either(tiny_model, tmp_path):
    from tests.helpers.axolotl_runs import RECIPE

    with chat_server(answer, models=(str(tiny_model), "tiny")) as server:
        config(tmp_path, server.base_url, tiny_model, hosts={}, evaluation={"max_new_tokens": 8})
        (tmp_path / "recipe.yaml").write_text(RECIPE)
        done = ste("run", "ste.yaml", "--json", cwd=tmp_path, HF_HUB_OFFLINE="1", **CANARIES)
    assert done.returncode == 0, done.stderr
    files = everything_under(tmp_path / "run")
    names = [name.removeprefix(str(tmp_path)) for name in files]
    for expected in (
        "/run/iter-01/axolotl.yaml",
        "/run/iter-01/axolotl.log",
        "/run/iter-01/report.md",
    ):
        assert expected in names
    assert any(name.endswith("/merged/config.json") for name in names)
    assert any("/lm-eval/" in name for name in names)
    assert {name: found for name, content in files.items() if (found := leaks(content))} == {}
    assert leaks(done.stdout, done.stderr) == []


def test_secrets_are_those_of_the_environment_that_is_there_when_a_text_is_redacted(monkeypatch):
    monkeypatch.setattr(os, "environ", {"HF_TOKEN": "hf_0123456789"})  # as libraries replace it
    assert redact("Bearer hf_0123456789") == "Bearer [HF_TOKEN]"
