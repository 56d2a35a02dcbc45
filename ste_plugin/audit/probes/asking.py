"""Asking a judge about pairs, greedily, and reading its sides: each question once, ever."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ste_plugin.audit.probes.estimate import Owed, Pace, Stored, count_owed
from ste_plugin.audit.probes.probe import Arm, Sides
from ste_plugin.audit.probes.rubrics import reworded
from ste_plugin.config import JudgingConfig, ModelConfig
from ste_plugin.context import RunContext
from ste_plugin.engines.base import UNUSABLE, ChatRequest, Completion
from ste_plugin.engines.identity import model_identity
from ste_plugin.errors import JudgeError
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.inference.dispatch import complete_requests
from ste_plugin.inference.probe_checks import Stage
from ste_plugin.inference.requests import JudgeRequests
from ste_plugin.judging import TIE, JudgeFormat, Said
from ste_plugin.judging.verdict import letter_of
from ste_plugin.records import ORDERS, OTHER, Verdict

NEITHER = 0.5
_UNASKED = ("budget", *UNUSABLE)
"""Finish reasons of replies that say nothing of what the judge prefers."""

Complete = Callable[[Sequence[ChatRequest], str, JudgeRequests], Sequence[Completion | None]]
"""Requests, their title, and what made them → their completions, in order."""


class Question(NamedTuple):
    """One way to show a pair, in one order."""

    arm: Arm
    gold: Verdict


class _Reply(NamedTuple):
    """What a judge replied to a question, and what that says."""

    request: ChatRequest
    text: str
    said: Said
    """None where it is for neither answer."""
    usable: bool


class JudgeAsker:
    """Asks one judge, in a run's format, and forces verdicts where the run does."""

    def __init__(self, judge_format: JudgeFormat, identity: str, config: JudgingConfig) -> None:
        """`identity`: that of the judge's weights, as in keys."""
        self._format, self._identity, self._config = judge_format, identity, config
        self._makers: dict[str, JudgeRequests | None] = {}

    def can_ask(self, arm: Arm) -> bool:
        """Return whether the format can be worded as this arm needs."""
        return self._maker(arm.reword) is not None

    def sides(self, arms: Sequence[Arm], complete: Complete) -> list[Sides | None]:
        """Return the sides taken on each arm; None where a reply is missing or says nothing.

        First verdicts are asked for before second ones, which answer to them.
        """
        questions = [Question(arm, gold) for arm in arms for gold in ORDERS]
        replies = self._first(questions, complete)
        followed = [i for i, question in enumerate(questions) if question.arm.follow_up]
        second = self._second([(questions[i], replies[i]) for i in followed], complete)
        for i, reply in zip(followed, second, strict=True):
            replies[i] = reply
        both = zip(replies[::2], replies[1::2], strict=True)
        others = [other for a, b in both for other in (b, a)]
        taken = list(map(self._side, questions, replies, others))
        pairs = zip(taken[::2], taken[1::2], strict=True)
        return [None if a is None or b is None else (a, b) for a, b in pairs]

    def _first(self, questions: Sequence[Question], complete: Complete) -> list[_Reply]:
        requests = [self._request(question) for question in questions]
        return self._answered(questions, requests, complete)

    def _second(self, asked: Sequence[tuple[Question, _Reply]], complete: Complete) -> list[_Reply]:
        """Return the second verdicts, of judges that gave a first one; others said nothing.

        A judge that writes nothing is asked one turn, and answers no second one.
        """
        if self._known_maker(None).judge_format.only_choices:
            return [first._replace(usable=False) for _, first in asked]
        questions = [q for q, first in asked if first.said is not None]
        requests = [
            self._known_maker(q).answer_back(first.request, first.text, q.arm.follow_up)
            for q, first in asked
            if first.said is not None
        ]
        answered = iter(self._answered(questions, requests, complete))
        return [
            next(answered) if first.said is not None else first._replace(usable=False)
            for _, first in asked
        ]

    def _answered(
        self, questions: Sequence[Question], requests: Sequence[ChatRequest], complete: Complete
    ) -> list[_Reply]:
        """Return a reply per request: what the judge said, then a forced letter where it is due."""
        maker = self._known_maker(None)
        stated = (
            complete(requests, "judging", maker)
            if maker.has_judgments
            else [None for _ in requests]
        )
        replies = [
            self._read(q, request, completion)
            for q, request, completion in zip(questions, requests, stated, strict=True)
        ]
        due = [i for i, reply in enumerate(replies) if self._is_due(reply)]
        prefixes = [self._known_maker(questions[i]).forced_prefix(stated[i]) for i in due]
        forced = [
            self._known_maker(questions[i]).forced(requests[i], prefix)
            for i, prefix in zip(due, prefixes, strict=True)
        ]
        letters = complete(forced, "forcing verdicts", maker) if forced else []
        for i, prefix, letter in zip(due, prefixes, letters, strict=True):
            replies[i] = self._read_forced(questions[i], requests[i], prefix, letter)
        return replies

    def _is_due(self, reply: _Reply) -> bool:
        maker = self._known_maker(None)
        return maker.force_verdict and reply.said is None and reply.usable

    def _read(
        self, question: Question, request: ChatRequest, completion: Completion | None
    ) -> _Reply:
        if completion is None:  # a format without judgments: the letter alone is asked for
            return _Reply(request, "", None, usable=True)
        usable = completion.finish_reason not in _UNASKED
        whole = completion.finish_reason == "stop"  # else a verdict may not be its last word
        parse = self._known_maker(question).judge_format.parse
        said = _one_sided(parse(completion.text)) if whole else None
        return _Reply(request, completion.text, said, usable)

    def _read_forced(
        self, question: Question, request: ChatRequest, prefix: str, letter: Completion | None
    ) -> _Reply:
        if letter is None or letter.finish_reason in _UNASKED:
            return _Reply(request, prefix, None, usable=False)
        judge_format = self._known_maker(question).judge_format
        text = judge_format.forced_text(prefix, letter.text)
        return _Reply(request, text, _one_sided(judge_format.parse(text)), usable=True)

    def _side(self, question: Question, own: _Reply, other: _Reply) -> float | None:
        """Return 1 for the worse answer, 0 for the better one; None where a reply says nothing."""
        if not own.usable:
            return None
        letter = letter_of(self._format.decide(own.said, other.said))
        return NEITHER if letter is None else float(letter == OTHER[question.gold])

    def _request(self, question: Question) -> ChatRequest:
        return self._known_maker(question).judgment(question.arm.pair, question.gold)

    def _known_maker(self, question: Question | None) -> JudgeRequests:
        maker = self._maker(question.arm.reword if question else "")
        if maker is None:
            raise ValueError("asked in a wording that the format cannot have")
        return maker

    def _maker(self, wording: str) -> JudgeRequests | None:
        if wording not in self._makers:
            worded = reworded(self._format, wording)
            self._makers[wording] = (
                JudgeRequests.greedy(self._identity, worded, self._config) if worded else None
            )
        return self._makers[wording]


def _one_sided(said: Said) -> Said:
    return None if said == TIE else said


def recall(asker: JudgeAsker, arms: Sequence[Arm], stored: Stored) -> list[ChatRequest]:
    """Return the requests for these arms, as far as the replies lead that are stored for them."""
    made: list[ChatRequest] = []

    def complete(
        requests: Sequence[ChatRequest], _: str, __: JudgeRequests
    ) -> Sequence[Completion | None]:
        made.extend(requests)
        return [stored(r) or Completion(r.key, "", "budget", 0, 0) for r in requests]

    asker.sides(arms, complete)
    return made


@dataclass(frozen=True, slots=True)
class RunJudge:
    """One judge of a run, and where its completions are kept."""

    context: RunContext
    name: str
    """What it is called: `seed`, `iteration 1`, …"""
    model: ModelConfig
    path: Path

    @property
    def asker(self) -> JudgeAsker:
        """Return what asks it as the run does."""
        identity = model_identity(self.model, self.context.base)
        return JudgeAsker(self.context.judge_format, identity, self.context.config.judging)

    @property
    def store(self) -> CompletionStore:
        """Return what it has answered."""
        return self.context.stores.open(self.path)

    def owed(self, arms: Sequence[Arm]) -> Owed:
        """Return what it is asked about these arms, answered already or not."""
        store = self.store

        def stored(request: ChatRequest) -> Completion | None:
            return store.get(request.key)

        return count_owed(arms, recall(self.asker, arms, stored), stored)

    def sides(self, arms: Sequence[Arm], pace: Pace) -> list[Sides | None]:
        """Return the sides that it takes on each arm.

        Only what it was never asked is asked, as far as the run's budget goes.
        """

        def complete(
            requests: Sequence[ChatRequest], what: str, maker: JudgeRequests
        ) -> Sequence[Completion | None]:
            return self._complete(f"probing {self.name}: {what}", requests, maker, pace)

        return self.asker.sides(arms, complete)

    def _complete(
        self, title: str, requests: Sequence[ChatRequest], maker: JudgeRequests, pace: Pace
    ) -> Sequence[Completion | None]:
        context = self.context
        stage = Stage(
            title,
            self.model.model,
            "judging.max_new_tokens",
            may_be_empty=maker.force_verdict,
            error=JudgeError,
            parse=maker.judge_format.parse if maker.has_judgments else None,
        )
        return complete_requests(
            pace.of(self.name, context.models.use(self.model)),
            requests,
            self.store,
            context.progress,
            context.budget,
            title,
            context.probes.of(stage),
            len(requests),
        )
