"""All that files hold of one item: the pair, what was said of it, and the prompts."""

from collections.abc import Sequence
from typing import NamedTuple

from ste_plugin.errors import DataError
from ste_plugin.records import ORDERS
from ste_plugin.view.fill import TRAIN, TRAIN_DEV
from ste_plugin.view.indexed_folder import IndexedFolder
from ste_plugin.view.prompts import FindFormat, Prompt, logged_prompts, sampled_prompts, shown
from ste_plugin.view.queries import Item
from ste_plugin.view.texts import PairText, Said, replies_of


class Read(NamedTuple):
    """What could be read of an item."""

    text: PairText | None
    said: list[Said]
    prompts: list[Prompt]
    problem: str = ""
    """What could not be read, in words."""

    def by_order(self, item: Item) -> list["Order"]:
        """Return what was said in each order shown."""
        points = {"A": item.a, "B": item.b}
        headings = {prompt.order: prompt.shown for prompt in self.prompts}
        orders = [
            Order(
                gold,
                headings.get(gold) or shown(gold),
                points[gold],
                [each for each in self.said if each.order == gold],
            )
            for gold in ORDERS
            if points[gold] is not None or any(each.order == gold for each in self.said)
        ]
        rest = [each for each in self.said if not each.order]
        return [Order("", "Judged", item.a, rest)] if rest else orders


class Order(NamedTuple):
    """What was said in one order."""

    order: str
    """Letter of the better answer; empty where there is but one prompt."""
    heading: str
    points: int | None
    """How it ended."""
    said: list[Said]


def read_item(
    folder: IndexedFolder,
    item: Item,
    spans: Sequence[tuple[int, int]],
    find_format: FindFormat,
) -> Read:
    """Return all that is known of an item; `spans` are those of its sampled judgments."""
    texts, text = folder.texts, None
    try:
        text = texts.pair(item.pair)
        if spans or item.start is None or item.on in (TRAIN, TRAIN_DEV):
            said = list(texts.samples_of(item.source, spans))
            prompts = sampled_prompts(folder.root, item.judge, text, find_format)
            return Read(text, said, prompts)
        judged = texts.judged(item.source, item.start)
        if item.sample is None:
            return Read(
                text, [], [], "What the judge wrote is gone: lm-eval's samples are not there."
            )
        sample = texts.sample(item.source, item.sample)
        return Read(text, replies_of(sample, judged), logged_prompts(sample, judged))
    except (DataError, LookupError, TypeError, AttributeError) as error:
        return Read(text, [], [], f"Not all of it can be read: {error}")
