"""Forgetting a canary, or what else is asked."""

from pathlib import Path

from ste_plugin.forget import ForgetQuery, ForgetReport, forget, read_run
from ste_plugin.run.open_run import open_existing

CANARY = "quokka.77@wombat.org"


def forgotten(run: Path, *, dry: bool = False, **what: str) -> ForgetReport:
    config, base = read_run(run)
    with open_existing(config, base, []) as context:
        return forget(context, ForgetQuery.read(**(what or {"match": CANARY})), dry=dry)
