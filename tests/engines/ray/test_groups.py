"""Requests whose prompts begin alike are handed to one replica together."""

from msgspec.structs import replace

from ste_plugin.engines import ChatRequest, Message, Sampling
from ste_plugin.engines.ray.groups import RequestGroups


def samples(text: str, count: int = 2, affinity: str = "") -> list[ChatRequest]:
    turns = (Message("user", text),)
    return [ChatRequest("m", turns, Sampling(), i, affinity=affinity) for i in range(count)]


def groups(requests: list[ChatRequest]) -> list[list[ChatRequest]]:
    return list(iter(RequestGroups(requests).take, []))


def test_samples_of_a_prompt_stay_together():
    one, other = samples("a"), samples("b", 3)
    assert groups(one + other) == [one, other]


def test_both_orders_of_a_pair_stay_together():
    pair = samples("x then y", affinity="pair 1") + samples("y then x", affinity="pair 1")
    others = samples("z", affinity="pair 2")
    assert groups(pair + others) == [pair, others]


def test_a_prompt_with_very_many_samples_is_divided():
    many = samples("a", 100)
    assert [len(group) for group in groups(many)] == [64, 36]


def test_no_request_is_read_before_it_is_needed_but_the_first_of_the_next_group():
    read = []
    source = (read.append(r) or r for r in samples("a") + samples("b") + samples("c"))
    taken = RequestGroups(source).take()
    assert len(taken) == 2
    assert len(read) == 3


def test_requests_that_were_lost_are_taken_first_in_their_groups():
    remaining = RequestGroups(samples("c"))
    lost = samples("a", 1) + samples("b")
    remaining.put_back(lost)
    assert [remaining.take() for _ in range(4)] == [lost[:1], lost[1:], samples("c"), []]


def test_what_requests_have_in_common_is_no_part_of_their_keys():
    (request,) = samples("a", 1)
    assert replace(request, affinity="pair 1").key == request.key
