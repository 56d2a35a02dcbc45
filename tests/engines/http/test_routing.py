"""Which of several servers a prompt goes to: what begins alike stays together, and none is idle."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from msgspec.structs import replace

from ste_plugin.engines import ChatRequest
from ste_plugin.engines.base import Sampling
from ste_plugin.engines.http.endpoint import Endpoint
from ste_plugin.engines.http.load_balancer import LoadBalancer
from ste_plugin.engines.http.options import EndpointOptions
from ste_plugin.engines.http.request import Call
from ste_plugin.engines.http.routing import Router, rank
from ste_plugin.inference.requests import JudgeRequests
from ste_plugin.judging.builtin import CRITERIA
from ste_plugin.records import ORDERS, ResponsePair
from tests.helpers.chat_server import ChatServer, Refuse, babble, chat_server
from tests.helpers.http_engine import engine, wanted

GROUPS = 60


def grouped(groups: int = GROUPS, samples: int = 3) -> Iterator[ChatRequest]:
    """Yield two prompts for each group, a call for every sample."""
    for group in range(groups):
        for order in "ab":
            for request in wanted(f"{group} {order}", samples):
                yield replace(request, affinity=f"group {group}")


def slowly(body, index):
    time.sleep(0.002)
    return babble(body, index)


def among(*servers: ChatServer) -> list[dict]:
    return [{"base_url": server.base_url} for server in servers]


def seen_by(*servers: ChatServer) -> dict[str, set[int]]:
    """Return each group, and the numbers of the servers that were asked about it."""
    seen = defaultdict(set)
    for number, server in enumerate(servers):
        for body in server.bodies:
            seen[body["messages"][-1]["content"].split()[0]].add(number)
    return seen


def endpoints(*weights: float) -> list[Endpoint]:
    options = [
        EndpointOptions(base_url=f"http://gpu-{n}:8000/v1", model="judge", weight=weight)
        for n, weight in enumerate(weights)
    ]
    return [Endpoint(o, "", 8, 1.0) for o in options]


def test_prompts_that_begin_alike_go_to_one_server_and_both_have_as_much_to_do():
    with chat_server(slowly) as one, chat_server(slowly) as other:
        model = engine(endpoints=among(one, other), samples=False, concurrency=8)
        completions = list(model.complete(grouped()))
    assert len({c.key for c in completions}) == len(completions) == GROUPS * 6
    asked = seen_by(one, other)
    together = sum(len(servers) == 1 for servers in asked.values())
    assert together >= 0.8 * GROUPS
    assert abs(len(one.bodies) - len(other.bodies)) <= 0.1 * GROUPS * 6


def test_what_is_asked_in_a_later_wave_goes_to_the_server_that_knows_it():
    with chat_server(slowly) as one, chat_server(slowly) as other:
        model = engine(endpoints=among(one, other), concurrency=8)
        first = [next(iter(wanted(f"{n} prompt"))) for n in range(200)]
        list(model.complete(first))
        later = [request.with_sample_index(1) for request in first[::3]]
        list(model.complete(later))
    places = Counter(len(servers) for servers in seen_by(one, other).values())
    assert places[2] <= 0.25 * len(later)  # half of them by chance


def test_all_servers_work_on_prompts_of_a_single_group():
    with chat_server(slowly) as one, chat_server(slowly) as other:
        model = engine(endpoints=among(one, other), samples=False, concurrency=8)
        list(model.complete(grouped(groups=1, samples=50)))
    assert min(len(one.bodies), len(other.bodies)) >= 40


def test_a_group_whose_server_rests_is_answered_by_the_other():
    with chat_server(babble, fault=lambda _: Refuse(503)) as bad, chat_server(slowly) as good:
        model = engine(endpoints=among(bad, good), samples=False, backoff_s=60.0)
        completions = list(model.complete(grouped(groups=20)))
    assert len({c.key for c in completions}) == len(completions) == 20 * 6
    assert len(bad.bodies) <= 10


def test_as_many_requests_are_read_ahead_as_may_be_in_flight():
    taken = 0

    def counted():
        nonlocal taken
        for request in grouped(groups=500):
            taken += 1
            yield request

    with chat_server(slowly) as one, chat_server(slowly) as other:
        model = engine(endpoints=among(one, other), samples=False, concurrency=8)
        completions = model.complete(counted())
        for got, _ in enumerate(completions, start=1):
            assert taken <= got + 2 * 16 + 16 + 1
            if got == 300:
                break
        completions.close()


def test_answers_are_the_same_from_any_number_of_servers():
    requests = list(grouped(groups=10))
    with ExitStack() as stack:
        servers = [stack.enter_context(chat_server(babble)) for _ in range(3)]
        several = {c.key: c for c in engine(endpoints=among(*servers)).complete(requests)}
        alone = {c.key: c for c in engine(servers[0].base_url).complete(requests)}
    assert several == alone


def test_groups_are_shared_out_by_weight_and_keep_their_order_without_one_of_the_servers():
    all_four = endpoints(3.0, 1.0, 1.0, 1.0)
    first = Counter(rank(f"group {n}", all_four)[0] for n in range(6000))
    assert [first[e] / 6000 for e in all_four] == pytest.approx([0.5, *[1 / 6] * 3], abs=0.02)
    for n in range(50):
        others = [e for e in rank(f"group {n}", all_four) if e is not all_four[1]]
        assert rank(f"group {n}", [e for e in all_four if e is not all_four[1]]) == others


def test_both_orders_and_all_strategies_of_an_instruction_are_one_group_without_other_keys():
    ask = JudgeRequests("judge@main", CRITERIA, Sampling())
    pairs = [ResponsePair(f"p{i}", "key", "Why?", "Because.", f"No {i}.", "s") for i in range(2)]
    requests = [ask.judgment(pair, order) for pair in pairs for order in ORDERS]
    assert {r.affinity for r in requests} == {"key"}
    assert all(replace(r, affinity="").key == r.key for r in requests)
    assert all(r.with_sample_index(3).affinity == "key" for r in requests)
    assert ask.forced(requests[0], "So [[").affinity == "key"


def test_no_call_waits_for_a_server_that_ends_none_until_all_others_are_sent():
    balancer = LoadBalancer(endpoints(1, 1), 3)
    requests = [next(iter(wanted(f"{n} prompt"))) for n in range(2000)]
    router = Router((Call((request,)) for request in requests), balancer)
    stuck, sent = balancer.endpoints[0], []
    running = 0
    while running < balancer.in_flight_limit and (routed := router.next_call()):
        sent.append(int(routed.call.first.messages[-1].content.split()[0]))
        if routed.endpoint is stuck:
            running += 1
        else:
            router.end_call(routed.endpoint, ())
    assert sorted(sent) == list(range(2000))
    late = max(place - number for place, number in enumerate(sent))
    assert late <= 10 * balancer.in_flight_limit
