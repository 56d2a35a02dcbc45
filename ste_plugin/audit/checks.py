"""The package's own checks, in the order in which they are made and shown.

Loading plugins imports this module: a check imports heavy libraries inside its functions.
"""

from ste_plugin.audit.collapse import check_collapse
from ste_plugin.audit.contamination import check_contamination
from ste_plugin.audit.gates import read_findings as read_gates
from ste_plugin.audit.probes.check import check_probes
from ste_plugin.audit.run_audit import Check
from ste_plugin.audit.shortcuts.check import check_shortcuts

CHECKS: dict[str, Check] = {
    "shortcuts": check_shortcuts,
    "contamination": check_contamination,
    "collapse": check_collapse,
    "gates": read_gates,
    "probes": check_probes,
}
"""Name → check. Plugins add theirs by the hook `ste_audit_checks`."""
