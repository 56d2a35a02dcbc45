"""What is still to be asked, and how long that takes, is told before and while it is asked."""

from itertools import islice

from ste_plugin.audit.probes.asking import JudgeAsker, recall
from ste_plugin.audit.probes.builtin import PUSHBACK
from ste_plugin.audit.probes.estimate import Owed, Pace, count_owed, reach_of
from ste_plugin.audit.probes.probe import Arm
from ste_plugin.config import JudgingConfig
from ste_plugin.engines.base import ChatRequest, Completion, Message, Sampling
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.testing import FakeEngine, made_pairs

ARMS = [Arm(pair) for pair in made_pairs()[:3]]


def owed_of(arms, stored=lambda _: None):
    asker = JudgeAsker(FORMATS["brief"], "m", JudgingConfig(format="brief"))
    return count_owed(arms, recall(asker, arms, stored), stored)


def test_every_arm_is_two_questions_and_the_same_one_is_counted_once():
    assert owed_of(ARMS).questions == owed_of([*ARMS, *ARMS]).questions == 6
    assert owed_of(ARMS).kept == 0


def test_second_verdicts_are_counted_before_the_first_ones_are_known():
    arms = [*ARMS, *(arm._replace(follow_up=PUSHBACK) for arm in ARMS)]
    assert owed_of(arms)[:2] == (12, 0)

    def stored(request):
        first = len(request.messages) == 1
        return Completion(request.key, "[[A]]", "stop", 1, 1) if first else None

    assert owed_of(arms, stored)[:2] == (12, 6)
    assert owed_of(arms, stored).characters < owed_of(arms).characters


def request(number: int, size: int = 100) -> ChatRequest:
    return ChatRequest("m", (Message("user", f"{number:0{size}d}"),), Sampling())


class Clock:
    """Each question takes a second from the time the engine takes it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def reply(self, _: ChatRequest) -> str:
        self.now += 1
        return "A"


def test_the_time_left_is_told_once_there_are_answers_enough_to_tell_it_by():
    clock, said = Clock(), []
    pace = Pace(
        {"seed": Owed(400, 0, 40_000), "iteration 1": Owed(200, 200, 20_000)}, said.append, clock
    )
    engine = pace.of("seed", FakeEngine(clock.reply))
    for _ in zip(engine.complete(request(n) for n in range(400)), range(60), strict=False):
        pass
    (line,) = said
    assert line.startswith("probing seed: 20 of 400 questions answered, 1.0 a second")
    assert line.endswith("about 7 min left for it, 10 min for all judges.")


def test_in_a_long_audit_it_is_told_again_and_a_short_one_is_not_held_up_by_it():
    clock, said = Clock(), []
    pace = Pace({"seed": Owed(400, 0, 40_000)}, said.append, clock)
    list(pace.of("seed", FakeEngine(clock.reply)).complete(request(n) for n in range(400)))
    assert [line.split()[2] for line in said] == ["20", "100", "200", "300"]
    assert said[-1].endswith("about 2 min left.")
    short = []
    pace = Pace({"seed": Owed(6, 0, 600)}, short.append, Clock())
    list(pace.of("seed", FakeEngine(clock.reply)).complete(request(n) for n in range(6)))
    assert short == []


def test_a_batch_counts_as_a_whole_though_its_answers_come_one_after_another():
    clock, said = Clock(), []
    pace = Pace({"seed": Owed(400, 0, 40_000)}, said.append, clock)

    class InBatches(FakeEngine):
        def complete(self, requests):
            for batch in batched(requests, 40):
                clock.now += 80
                yield from super().complete(batch)

    list(pace.of("seed", InBatches(lambda _: "A")).complete(request(n) for n in range(400)))
    assert [line.split()[2] for line in said] == ["40", "120", "200", "320"]
    assert said[0].endswith(
        "answered, 30 a minute (1 tokens read and 1 written each); about 12 min left."
    )


def batched(items, size):
    """Lists of so many items."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def test_the_interval_that_a_number_of_instructions_buys_is_halved_by_four_times_as_many():
    assert reach_of(50, 0.2) == 2 * reach_of(200, 0.2)
    assert round(reach_of(200, 0.2), 2) == 0.06
