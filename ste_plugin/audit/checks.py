"""The package's own checks, in the order in which they are made and shown.

Loading plugins imports this module: a check imports heavy libraries inside its functions.
"""

from ste_plugin.audit.run_audit import Check
from ste_plugin.audit.shortcuts.check import check_shortcuts

CHECKS: dict[str, Check] = {
    "shortcuts": check_shortcuts,
}
"""Name → check. Plugins add theirs by the hook `ste_audit_checks`."""
