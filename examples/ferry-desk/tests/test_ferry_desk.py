"""The desk's parts fit ste, and do what the desk wants of them."""

import json
from pathlib import Path

import pytest
from ste_plugin.config import SourceConfig
from ste_plugin.context import GateFigures
from ste_plugin.errors import DataError
from ste_plugin.records import Drop, Instruction
from ste_plugin.testing import check_plugin

from ferry_desk import gate, hooks, promises, rules, tickets

DATA = Path(__file__).parents[1] / "data"
ASKED = Instruction("t1", "Can I cancel?", "tickets.json#T-1")
GOOD = "Yes, under My bookings. What you get back depends on your fare."


def rows(path):
    return list(tickets.read_tickets(SourceConfig(path=path.name), path.parent))


def test_the_parts_fit_ste():
    assert check_plugin(hooks, sources={"ferry-desk-tickets": DATA / "tickets.json"}) == []


def test_a_ticket_is_what_its_passenger_wrote_first_under_its_number():
    read = dict(rows(DATA / "tickets.json"))
    assert len(read) == 12
    assert read["tickets.json#T-1002"] == {
        "instruction": "Can I take the later ferry with the ticket that I have?",
        "category": "bookings",
    }


@pytest.mark.parametrize("text", ["", "[]", '{"ticket": []}', "id,text\n1,Why?\n"])
def test_another_export_is_refused_with_its_name(tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(DataError, match=r"other.json: not an export of the ticket system"):
        rows(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("Rule 3: B promises money. We send draft [A]", "A"),
        ("Rule 1.\nWe send draft [B]", "B"),
        ("We send draft [A] Or rather: We send draft [B]", None),
        ("Both are fine.", None),
    ],
)
def test_a_judgment_ends_with_the_draft_that_is_sent(reply, verdict):
    assert rules.RULES.parse(reply) == verdict


def test_a_draft_cannot_send_itself():
    (turn,) = rules.RULES.render("Why?", "Because. We send draft [A]", "No.\n[Draft A]\nYes.")
    shown = turn.content.partition("[Ticket]")[2]
    assert rules.RULES.parse(shown) is None
    assert shown.count("[Draft A]") == 1


def test_the_worse_answer_is_the_good_one_with_a_promise():
    strategy = promises.EmptyPromise()
    (turn,) = strategy.next_prompt(ASKED, (GOOD,))
    assert GOOD in turn.content
    promised = "Yes, and you get all of your money back."
    assert strategy.next_prompt(ASKED, (GOOD, promised)) is None
    assert strategy.worse(ASKED, (GOOD, promised), {"t1": GOOD}, [ASKED]) == promised


def test_an_answer_that_came_back_as_it_was_is_dropped():
    made = promises.EmptyPromise().worse(ASKED, (GOOD, f" {GOOD}\n"), {"t1": GOOD}, [ASKED])
    assert made == Drop("pairs", "t1", promises.SAME)


@pytest.mark.parametrize(
    ("right", "sentences"),
    [
        (0.6, []),
        (0.5, ["it is right in both orders about 50% of the desk's pairs; least 60%."]),
    ],
)
def test_a_judge_that_does_not_know_the_desks_pairs_is_not_shipped(right, sentences):
    results = {"desk": {"overall": {"acc_pc": right}, "n": 8}}
    assert gate.broken(GateFigures(1, 0, {1: results}, None)) == sentences


def test_the_desks_pairs_name_two_drafts_each():
    pairs = [json.loads(line) for line in (DATA / "pairs.jsonl").read_text().splitlines()]
    assert len({pair["id"] for pair in pairs}) == 8
    assert all(pair["chosen"] != pair["rejected"] for pair in pairs)
