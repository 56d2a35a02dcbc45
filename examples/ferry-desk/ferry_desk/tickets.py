"""The ticket system's export: a JSON file with a list of tickets, each with its messages."""

import json

from ste_plugin.errors import DataError


def read_tickets(source, base):
    """Yield (file and ticket, row) for what passengers wrote first; spam and staff are left out."""
    path = base / source.path
    try:
        tickets = json.loads(path.read_text(encoding="utf-8"))["tickets"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: not an export of the ticket system ({error!r}); expected JSON with a list "
            "`tickets`. Export it anew."
        ) from error
    for ticket in tickets:
        asked = [m["text"] for m in ticket["messages"] if m["from"] == "passenger"]
        if asked and ticket.get("status") != "spam":
            place = f"{source.path}#{ticket['id']}"
            yield place, {"instruction": asked[0], "category": ticket.get("queue", "")}
