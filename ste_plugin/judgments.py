"""Sampling judgments: every pair in both presentation orders, in waves, until each is settled."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ste_plugin.asking import fill
from ste_plugin.completions import CompletionFile
from ste_plugin.engines.base import ChatRequest, Completion, Sampling
from ste_plugin.engines.identity import model_identity
from ste_plugin.errors import JudgeError
from ste_plugin.judging import JudgeFormat
from ste_plugin.records import ORDERS, Drop, Judgment, ResponsePair, Verdict
from ste_plugin.sampling import Counts, Outcome, Rule
from ste_plugin.session import Iteration

DropReason = Callable[[Judgment, ResponsePair], str | None]


@dataclass(slots=True)
class Question:
    """One pair in one presentation order, and what came of its samples so far."""

    pair: ResponsePair
    order: Verdict
    outcomes: list[Outcome | None] = field(default_factory=list)
    """By sample index; None for a sample that the budget did not reach."""
    prompt_key: str = ""
    """Of its requests, once it is known."""

    def counts(self, most: int | None = None) -> Counts:
        """Return the counts of the first `most` samples, by default of all."""
        seen = self.outcomes[:most]
        return Counts(*(seen.count(o) for o in ("correct", "wrong", "neither")))


def questions_of(pairs: Iterable[ResponsePair]) -> list[Question]:
    """Return every pair in both orders, pairs of one instruction side by side.

    So requests that begin with the same words follow each other, and a server reads these once.
    """
    by_instruction: dict[str, list[ResponsePair]] = {}
    for pair in pairs:
        by_instruction.setdefault(pair.instruction_key, []).append(pair)
    return [
        Question(p, order) for group in by_instruction.values() for p in group for order in ORDERS
    ]


class JudgmentSampler:
    """Asks one judge for judgments and reads them back, completion by completion."""

    def __init__(self, iteration: Iteration, file: CompletionFile, reason: DropReason) -> None:
        """`reason` tells why a judgment must not be trained on, or None: such a one settles nothing."""
        session, config = iteration.session, iteration.session.config.judging
        self._session, self._judge, self._file, self._reason = (
            session,
            iteration.judge,
            file,
            reason,
        )
        self._form: JudgeFormat = session.judge_format
        self._version = self._form.version
        self._model = model_identity(iteration.judge, session.base)
        self._sampling = Sampling(
            config.temperature, config.top_p, config.max_new_tokens or self._form.max_new_tokens
        )
        self._forces = config.force_verdict
        self._asks = self._form.reasons or not config.force_verdict

    def sample(self, questions: Sequence[Question], rule: Rule, most: int) -> None:
        """Draw samples of every question until the rule, or the budget, says that it is enough."""
        while wave := [(q, size) for q in questions if (size := rule(q.counts(), most))]:
            self.draw(wave)
            if self.stopped:
                return

    def draw(self, wave: Sequence[tuple[Question, int]]) -> None:
        """Draw so many further samples of each of these questions."""
        for question, size in wave:
            question.outcomes += [None] * size
        if self._asks:
            self._fill("judging", [(q, self._last(q, n)) for q, n in wave], lambda *_: "")
        if self._forces:
            open_ones = ((q, [i for i in self._last(q, n) if self._owes(q, i)]) for q, n in wave)
            self._fill("forcing verdicts", [(q, i) for q, i in open_ones if i], self._prefix)
        for question, size in wave:
            for i in self._last(question, size):
                question.outcomes[i] = self._outcome(question, self._read(question, i))

    def judgments(self, question: Question) -> list[Judgment | Drop]:
        """Return what came of a question's samples, in their order; cut-off replies are a Drop."""
        found = (self._read(question, i) for i in range(len(question.outcomes)))
        return [judgment for judgment in found if judgment is not None]

    def example_reply(self, questions: Sequence[Question]) -> str:
        """Return the end of one reply, to show what the judge says."""
        for question in questions:
            for i in range(len(question.outcomes)):
                if reply := self._said(question, i):
                    return reply.text.strip()[-160:]
        return ""

    @property
    def stopped(self) -> bool:
        """Return whether the budget left samples out."""
        return self._session.budget.stopped

    @staticmethod
    def _last(question: Question, size: int) -> range:
        return range(len(question.outcomes) - size, len(question.outcomes))

    def _fill(
        self, title: str, due: Sequence[tuple[Question, Sequence[int]]],
        prefix: Callable[[Question, int], str],
    ) -> None:  # fmt: skip
        """Ask for those samples that the file lacks; prompts are rendered as the engine takes them."""
        owing: dict[str, tuple[Question, list[int]]] = {}
        for question, samples in due:
            keys = {i: self._key(question, i, prefix(question, i)) for i in samples}
            lacking = [i for i, key in keys.items() if key not in self._file]
            if lacking:  # once by key: two strategies may make the very same pair
                owing[keys[lacking[0]]] = question, lacking
        wanted = (
            request
            for question, samples in owing.values()
            for request in self._requests(question, samples, prefix)
        )
        session, total = self._session, sum(len(samples) for _, samples in owing.values())
        engine = session.models.use(self._judge)
        fill(engine, wanted, total, self._file, session.watch, session.budget, title)

    def _requests(
        self, question: Question, samples: Sequence[int], prefix: Callable[[Question, int], str]
    ) -> Iterator[ChatRequest]:
        made: dict[str, ChatRequest] = {}
        for i in samples:
            words = prefix(question, i)
            if words not in made:
                key = self._key(question, i, words).rpartition("-")[0]
                made[words] = self._request(question, words).keyed(key)
            yield made[words].sample(i)

    def _request(self, question: Question, prefix: str) -> ChatRequest:
        """Return the request for a judgment or, after a prefix, for the letter that ends it."""
        pair = question.pair
        turns = self._form.render_pair(pair.instruction, pair.better, pair.worse, question.order)
        return ChatRequest(
            self._model, turns, self._sampling, 0, prefix, ORDERS if prefix else (), self._version
        )

    def _key(self, question: Question, sample: int, prefix: str = "") -> str:
        """Return the key of a request that need not be made: rendering and hashing cost most here."""
        if prefix and self._asks:  # a prefix of the sample's own
            return self._request(question, prefix).sample(sample).key
        if not question.prompt_key:
            question.prompt_key = self._request(question, prefix).prompt_key
        return f"{question.prompt_key}-{sample}"

    def _said(self, question: Question, sample: int) -> Completion | None:
        """Return what the judge said by itself, if it was asked."""
        return self._file.get(self._key(question, sample)) if self._asks else None

    def _prefix(self, question: Question, sample: int) -> str:
        """Return the words to put in the judge's mouth: its own, then the closing ones."""
        reply = self._said(question, sample)
        said, cut = (reply.text, reply.finish_reason == "length") if reply else ("", False)
        return self._form.forced_prefix(said, cut_off=cut)

    def _owes(self, question: Question, sample: int) -> bool:
        """Return whether a sample needs its verdict forced: not one that was never answered."""
        reply = self._said(question, sample)
        return not self._asks or (reply is not None and self._form.parse(reply.text) is None)

    def _read(self, question: Question, sample: int) -> Judgment | Drop | None:
        """Return the judgment of a sample: its own words, or the forced ones where these are there."""
        reply, prefix = self._said(question, sample), ""
        if self._forces and (reply is None or self._form.parse(reply.text) is None):
            prefix = self._prefix(question, sample)
        key = self._key(question, sample, prefix)
        if prefix:
            reply = self._file.get(key)
        if reply is None:
            return None
        if reply.finish_reason == "length":
            return Drop("judging", key, "judgment cut off by the token limit")
        text = (self._form.forced_text(prefix, reply.text) if prefix else reply.text).strip()
        pair, verdict = question.pair.key, self._form.parse(text)
        return Judgment(key, pair, question.order, sample, text, verdict, bool(prefix))

    def _outcome(self, question: Question, judgment: Judgment | Drop | None) -> Outcome | None:
        if judgment is None:
            return None
        if isinstance(judgment, Drop) or judgment.verdict is None:
            return "neither"
        if self._reason(judgment, question.pair):
            return "neither"
        return "correct" if judgment.correct else "wrong"


def top_up(
    sampler: JudgmentSampler, questions: Sequence[Question], rule: Rule, most: int, further: int
) -> int:
    """Draw up to `further` samples more where one letter runs short; return the samples drawn.

    A pair that is settled in one order only counts for its letter, and the longer side would have to
    give up its surplus. Questions of the shorter side are asked on, the least asked first, as many as
    are missing, until both sides are equal or all of them have had their further samples.
    """
    drawn = 0
    while due := _short_side(questions, rule, most + further):
        wave = [(q, min(_TOP_UP_WAVE, most + further - len(q.outcomes))) for q in due]
        sampler.draw(wave)
        drawn += sum(size for _, size in wave)
        if sampler.stopped:
            break
    return drawn


_TOP_UP_WAVE = 4


def _short_side(questions: Sequence[Question], rule: Rule, most: int) -> list[Question]:
    """Return the questions to ask on: as many as the shorter side lacks."""
    open_ones = [q for q in questions if rule(q.counts(), len(q.outcomes) + 1)]
    open_keys = {(q.pair.key, q.order) for q in open_ones}
    lacking = {letter: sum(order == letter for _, order in open_keys) for letter in ORDERS}
    gap = abs(lacking["A"] - lacking["B"])
    short: Verdict = "A" if lacking["A"] > lacking["B"] else "B"
    due = [q for q in open_ones if q.order == short and len(q.outcomes) < most]
    return sorted(due, key=lambda q: (len(q.outcomes), q.pair.key))[:gap]


def no_verdict(form: JudgeFormat, replies: int, shown: str) -> JudgeError:
    """Return the error for a judge that never states a verdict, with one of its replies."""
    return JudgeError(
        f"The judge stated no verdict in any of {replies} replies in the format {form.name!r}; "
        f"expected [[A]] or [[B]], one reply ended: {shown!r}.\nUse a stronger seed model, or a "
        "shorter format (judging.format: brief), or set judging.force_verdict: true."
    )
