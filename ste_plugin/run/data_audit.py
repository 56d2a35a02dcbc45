"""What an iteration's training pairs give away, told when it was measured; it decides nothing."""

from ste_plugin.audit.run_audit import keep, not_examined
from ste_plugin.audit.shortcuts.check import check_shortcuts
from ste_plugin.context import RunContext

CHECK = "shortcuts"


def audit_data(context: RunContext, number: int) -> None:
    """Look for shortcuts in what an iteration was trained on, keep what is found, say what fails.

    Where that cannot be done, as without scikit-learn, it is undecided.
    """
    try:
        found = list(check_shortcuts(context, number))
    except Exception as error:  # it only tells: a run must not end by it
        found = [not_examined(CHECK, number, error)]
    keep(context.folder, number, {CHECK: found})
    if failed := [finding for finding in found if finding.failed]:
        names = "; ".join(f"{finding.name} ({finding.subject})" for finding in failed)
        context.progress.say(
            f"iteration {number}: warning: its training pairs can be told without the question, "
            f"by {names}. `ste audit {context.folder.root} --only {CHECK}` says by what."
        )
