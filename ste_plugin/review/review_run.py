"""What `ste review` does with a run: pages for one rater, a sample as CSV, labels from CSV."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

from ste_plugin.config import RunConfig
from ste_plugin.errors import ConfigError
from ste_plugin.review.csv_files import export_csv, read_csv
from ste_plugin.review.labels import (
    Kind,
    append_labels,
    check_rater,
    hold_rater,
    labels_path,
    read_labels,
)
from ste_plugin.review.population import Splits, chosen_splits, find_run
from ste_plugin.review.sample import Sample, draw_sample, keys_of
from ste_plugin.review.session import ReviewSession, order_for
from ste_plugin.storage.run_layout import RunLayout


def open_review(
    path: Path, kind: Kind, rater: str | None, say: Callable[[str], object]
) -> "Review":
    """Return the review of a run by its folder or config; `say` shows texts to the person.

    Raises: ConfigError where there is no such run, or `rater` is no name; DataError where it has no
    pairs yet.
    """
    folder, config = find_run(path)
    known = {label.rater for label in read_labels(labels_path(folder))}
    return Review(folder, config, kind, rater and check_rater(rater, known), known, say)


@dataclass(frozen=True, slots=True)
class Review:
    """A run, and what of it is looked at by whom."""

    folder: RunLayout
    config: RunConfig
    kind: Kind
    rater: str | None
    """None where no name was given."""
    known: set[str]
    """Who has labels."""
    say: Callable[[str], object]

    @property
    def name(self) -> str:
        """The rater's name, by default that of the login."""
        return self.rater or check_rater(_login(), self.known)

    def draw(self, split: Splits | None, number: int | None) -> Sample:
        """Return the sample, as `draw_sample`."""
        splits = chosen_splits(self.folder, split)
        return draw_sample(self.folder, self.config, self.kind, splits, number)

    def serve(
        self, split: Splits | None, number: int | None, port: int, *, open_browser: bool
    ) -> None:
        """Show the sample on pages of this machine until Ctrl-C.

        Raises: ConfigError where the port is in use, or somebody labels by this name elsewhere.
        """
        from ste_plugin.review.pages import STATIC, review_routes
        from ste_plugin.web.serve import serve

        name, path = self.name, labels_path(self.folder)
        sample = self.draw(split, number)
        with hold_rater(self.folder, name):
            session = ReviewSession(path, name, self.kind, sample.items)
            self.say(describe(sample, session))
            routes = review_routes(session, sample)
            serve(routes, say=self.say, port=port, open_browser=open_browser, static=[STATIC])
            self.say(f"{session.done} of {len(sample.items)} labelled by {name}: {path}")
            if session.done:
                self.say(f"What comes of it: ste agreement {self.folder.root}")

    def export_csv(self, path: Path, split: Splits | None, number: int | None) -> None:
        """Write the sample for those who label elsewhere.

        Raises: ConfigError where the file exists.
        """
        if path.exists():
            raise ConfigError(
                f"--export {path}: exists already, maybe with labels. Give another name."
            )
        name = self.name
        items = self.draw(split, number).items
        count = export_csv(path, ((item, order_for(name, item)) for item in items))
        self.say(f"Wrote {count} rows to {path}. Labels go into its column choice: 1, 2 or 0.")

    def import_csv(self, path: Path, columns: Mapping[str, str]) -> None:
        """Append the labels in a CSV file that the run does not have yet.

        Raises: DataError, as `read_csv`, with no label appended.
        """
        target = labels_path(self.folder)
        keys = keys_of(self.folder, self.kind)
        known = read_labels(target)
        given = read_csv(path, self.kind, keys, known=known, rater=self.rater, columns=columns)
        raters = sorted({label.rater for label in given})
        with ExitStack() as stack:
            for rater in raters:
                stack.enter_context(hold_rater(self.folder, rater))
            append_labels(target, given)
        labels, people = _counted(len(given), "new label"), _counted(len(raters), "rater")
        self.say(f"{labels} by {people}: {target}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _login() -> str:
    try:
        return getuser()
    except (OSError, KeyError) as error:  # in a container, a user without a name
        raise ConfigError("--rater: give your name; this system has none for you.") from error


def describe(sample: Sample, session: ReviewSession) -> str:
    """Return how many are to be labelled, how long it takes, and what it buys."""
    what = "pairs" if session.kind == "pair" else "judgments"
    done = f", {session.done} of them done" if session.done else ""
    lines = [
        f"{len(sample.items)} {what} for {session.rater}{done}; all take about {sample.minutes} "
        "minutes.",
        f"{'strategy':<34}{what:>10}{'drawn':>7}    95% interval if 90% good    at worst",
    ]
    for share in sample.shares:
        between = f"{100 * share.low:.0f}–{100 * share.high:.0f}%"
        lines.append(
            f"{share.strategy[:33]:<34}{share.there:>10}{share.drawn:>7}   {between:>25}    "
            f"± {100 * share.widest:.0f} points"
        )
    return "\n".join(lines)
