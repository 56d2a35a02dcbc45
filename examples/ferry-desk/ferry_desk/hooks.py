"""What the ferry line adds to ste."""

from pathlib import Path

from ste_plugin.hookspecs import hookimpl

HERE = Path(__file__).parent


@hookimpl
def ste_sources():
    from ferry_desk import tickets

    return {"ferry-desk-tickets": tickets.read_tickets}


@hookimpl
def ste_judge_formats():
    from ferry_desk import rules

    return {rules.RULES.name: rules.RULES}


@hookimpl
def ste_pair_strategies():
    from ferry_desk import promises

    return {"ferry-desk-empty-promise": promises.EmptyPromise()}


@hookimpl
def ste_gates(figures):
    from ferry_desk import gate

    return gate.broken(figures)


@hookimpl
def ste_recipe_dirs():
    return HERE / "recipes"


@hookimpl
def ste_task_dirs():
    return HERE / "tasks"
