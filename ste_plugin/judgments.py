"""Sampling judgments: every pair in both presentation orders, N times each."""

from collections.abc import Sequence

from ste_plugin.asking import ask
from ste_plugin.engines.base import ChatRequest, Completion, Engine, Sampling
from ste_plugin.engines.identity import model_identity
from ste_plugin.errors import JudgeError
from ste_plugin.judging import JudgeFormat
from ste_plugin.records import ORDERS, Drop, Judgment, ResponsePair, Verdict, content_key
from ste_plugin.session import Iteration

Asked = tuple[ResponsePair, Verdict, ChatRequest]


def plan_judgments(
    pairs: Sequence[ResponsePair], form: JudgeFormat, model: str, sampling: Sampling, samples: int
) -> list[Asked]:
    """Return one request a pair, order and sample; samples of one prompt stand together."""
    return [
        (pair, order, ChatRequest(model, messages, sampling, i, format_version=form.version))
        for pair in pairs
        for order in ORDERS
        for messages in [form.render_pair(pair.instruction, pair.better, pair.worse, order)]
        for i in range(samples)
    ]


def plan_forced(
    asked: Sequence[Asked], replies: Sequence[Completion | None], form: JudgeFormat
) -> list[Asked]:
    """Return the same requests with the closing words put in the judge's mouth."""
    forced = []
    for (pair, order, request), reply in zip(asked, replies, strict=True):
        said = reply.text if reply else ""
        cut = reply is not None and reply.finish_reason == "length"
        forced.append(
            (pair, order, ChatRequest(
                request.model, request.messages, request.sampling, request.sample_index,
                form.forced_prefix(said, cut_off=cut), ORDERS, form.version,
            ))
        )  # fmt: skip
    return forced


def read_judgment(asked: Asked, reply: Completion, form: JudgeFormat) -> Judgment | Drop:
    """Return the judgment a reply makes; a reply cut off by the token limit makes none."""
    pair, order, request = asked
    if reply.finish_reason == "length":
        return Drop("judging", request.key, "judgment cut off by the token limit")
    forced = bool(request.choices)
    text = form.forced_text(request.prefix, reply.text) if forced else reply.text
    key = content_key("judgment", request.key)
    return Judgment(
        key, pair.key, order, request.sample_index, text.strip(), form.parse(text), forced
    )


def sample_judgments(
    iteration: Iteration, engine: Engine, pairs: Sequence[ResponsePair]
) -> tuple[list[Judgment], list[Drop]]:
    """Return all sampled judgments, and a Drop for every reply that was cut off.

    With `force_verdict`, a reply without a verdict is closed by force; a format that writes no
    reasoning is asked for nothing but the letter.
    Raises: JudgeError where not one reply states a verdict.
    """
    session, config = iteration.session, iteration.session.config.judging
    form = session.judge_format
    sampling = Sampling(
        config.temperature, config.top_p, config.max_new_tokens or form.max_new_tokens
    )
    identity = model_identity(iteration.judge, session.base)
    asked = plan_judgments(pairs, form, identity, sampling, config.samples)
    path = iteration.folder / "judging.completions.jsonl"
    replies: list[Completion | None] = [None] * len(asked)
    if form.reasons or not config.force_verdict:
        replies = list(ask(engine, [r for _, _, r in asked], path, session.watch, "judging"))
    if config.force_verdict:
        owing = [i for i, r in enumerate(replies) if r is None or form.parse(r.text) is None]
        forced = plan_forced([asked[i] for i in owing], [replies[i] for i in owing], form)
        found = ask(engine, [r for _, _, r in forced], path, session.watch, "forcing verdicts")
        for i, request, reply in zip(owing, forced, found, strict=True):
            asked[i], replies[i] = request, reply
    read = [read_judgment(a, r, form) for a, r in zip(asked, replies, strict=True) if r is not None]
    judgments = [j for j in read if isinstance(j, Judgment)]
    if not any(j.verdict for j in judgments):
        raise JudgeError(_no_verdict(form, replies))
    return judgments, [d for d in read if isinstance(d, Drop)]


def _no_verdict(form: JudgeFormat, replies: Sequence[Completion | None]) -> str:
    texts = [r.text.strip() for r in replies if r]
    shown = texts[0][-160:] if texts else ""
    return (
        f"The judge stated no verdict in any of {len(texts)} replies in the format {form.name!r}; "
        f"expected [[A]] or [[B]], one reply ended: {shown!r}.\nUse a stronger seed model, or a "
        "shorter format (judging.format: brief), or set judging.force_verdict: true."
    )
