"""The first answers of a stage are looked at, and what is certainly wrong ends it early."""

import pytest

from ste_plugin.engines import ChatRequest, Completion, Message, Sampling
from ste_plugin.errors import EngineError
from ste_plugin.inference.budget import Budget
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.inference.dispatch import complete_requests
from ste_plugin.inference.probe import Probes
from ste_plugin.inference.probe_checks import Stage
from ste_plugin.progress import ProgressReporter

ANSWERS = Stage("writing answers", "m", "pairs.max_new_tokens", may_be_equal=False)
JUDGMENTS = Stage("judging", "m", "judging.max_new_tokens", parse=lambda t: "[[" in t or None)
FORCED = Stage("judging", "m", "judging.max_new_tokens", may_be_empty=True)
FOUR_WORDS = "An answer to {}."


def request(number: int, sample: int = 0, words: int = 1) -> ChatRequest:
    text = " ".join([f"Question {number}"] * words)
    return ChatRequest("m", (Message("user", text),), Sampling(), sample)


class Scripted:
    """An engine that answers as told; `asked` holds the keys of each call of `complete`."""

    def __init__(self, *answers: str, reason="stop", thinking="", read=9, written=4):
        self.answers, self.reason, self.thinking = answers, reason, thinking
        self.tokens, self.asked = (read, written), []

    def complete(self, requests):
        self.asked.append([])
        for r in requests:
            number = r.messages[0].content.split()[1]
            text = self.answers[len(self.asked[-1]) % len(self.answers)].format(number)
            self.asked[-1].append(r.key)
            yield Completion(r.key, text, self.reason, *self.tokens, self.thinking)

    def close(self):
        pass


def ask(engine, path, stage=ANSWERS, requests=None, budget=None, said=None):
    said = [] if said is None else said
    progress = ProgressReporter(path.parent / "events.jsonl", quiet=True)
    wanted = [request(n) for n in range(30)] if requests is None else requests
    probe, store = Probes(said.append).of(stage), CompletionStore(path)
    return complete_requests(engine, wanted, store, progress, budget or Budget(), "t", probe)


def told(engine, path, stage=ANSWERS, requests=None) -> str:
    """The error of a probe, of which nothing stays on file."""
    with pytest.raises(EngineError) as caught:
        ask(engine, path, stage, requests)
    assert len(engine.asked) == 1
    assert path.read_bytes() == b""
    return str(caught.value)


def test_a_handful_is_answered_before_the_rest_and_everything_is_asked_once(tmp_path):
    engine, said = Scripted(FOUR_WORDS), []
    found = ask(engine, tmp_path / "c.jsonl", said=said)
    assert [c.text for c in found] == [FOUR_WORDS.format(n) for n in range(30)]
    assert [len(keys) for keys in engine.asked] == [8, 22]
    assert engine.asked[0] + engine.asked[1] == [request(n).key for n in range(30)]
    assert said == ["probe (writing answers): 8 answers from m: 4 tokens on average"]


def test_all_samples_of_a_prompt_are_asked_together(tmp_path):
    engine = Scripted(FOUR_WORDS)
    wanted = [request(n, sample) for n in range(9) for sample in range(3)]
    ask(engine, tmp_path / "c.jsonl", requests=wanted)
    assert [len(keys) for keys in engine.asked] == [24, 3]


def test_a_stage_is_looked_at_once(tmp_path):
    engine, said, probes = Scripted(FOUR_WORDS), [], Probes()
    store, progress = CompletionStore(tmp_path / "c.jsonl"), ProgressReporter(tmp_path / "e", True)
    for part in (range(20), range(20, 40)):
        wanted = [request(n) for n in part]
        complete_requests(engine, wanted, store, progress, Budget(), "t", probes.of(ANSWERS))
    assert [len(keys) for keys in engine.asked] == [8, 12, 20]
    assert said == []


def test_on_a_resume_stored_answers_are_the_probe(tmp_path):
    path, said, first = tmp_path / "c.jsonl", [], Scripted(FOUR_WORDS)
    ask(first, path, requests=[request(n) for n in range(20)])
    second = Scripted(FOUR_WORDS)
    ask(second, path, said=said)
    assert [len(keys) for keys in second.asked] == [10]
    assert len(said) == 1
    ask(third := Scripted(""), path, said=said)
    assert third.asked == []
    assert len(said) == 1


def test_few_stored_answers_are_part_of_the_probe(tmp_path):
    path = tmp_path / "c.jsonl"
    ask(Scripted(FOUR_WORDS), path, requests=[request(n) for n in range(3)])
    ask(engine := Scripted(""), path)
    assert [len(keys) for keys in engine.asked] == [5, 22]


def test_stored_answers_that_are_useless_let_a_mended_server_go_on(tmp_path):
    path = tmp_path / "c.jsonl"
    ask(Scripted(""), path, requests=[request(n) for n in range(3)])
    ask(engine := Scripted(FOUR_WORDS), path)
    assert [len(keys) for keys in engine.asked] == [8, 19]


def test_what_was_asked_of_a_broken_server_is_asked_again_once_it_is_mended(tmp_path):
    path = tmp_path / "c.jsonl"
    ask(Scripted(FOUR_WORDS), path, requests=[request(n) for n in range(100, 102)])
    before = path.read_bytes()
    with pytest.raises(EngineError, match="all replies are empty"):
        ask(Scripted(""), path)
    assert path.read_bytes() == before
    found = ask(Scripted(FOUR_WORDS), path)
    assert all(c.text for c in found)


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        (Scripted(""), "all replies are empty. See what the server replies"),
        (
            Scripted("", thinking="<think>Hm.</think>"),
            "reasoning but no content.*Mend the server's reasoning parser",
        ),
        (
            Scripted("", thinking="<think>Hm", reason="length"),
            "thoughts without an end, cut off at 512 tokens. Raise pairs.max_new_tokens",
        ),
        (
            Scripted("{} is", reason="length"),
            "all replies are cut off at 512 tokens.*Raise pairs.max_new_tokens",
        ),
        (
            Scripted("I am afraid that this service is closed."),
            "very same reply: 'I am afraid",
        ),
        (Scripted("很抱歉，这项服务现在不可用。"), "very same reply: '很抱歉"),
    ],
)
def test_what_is_wrong_with_all_of_the_first_answers_ends_the_stage_with_its_cure(
    tmp_path, engine, words
):
    message = told(engine, tmp_path / "c.jsonl")
    assert message.startswith("writing answers: model 'm' was asked 8 prompts")
    with pytest.raises(EngineError, match=f"(?s){words}"):
        raise EngineError(message)


def test_replies_that_the_server_breaks_off_end_the_stage(tmp_path):
    message = told(Scripted("An answ", reason="broken"), tmp_path / "c.jsonl")
    assert "all replies were broken off by the server" in message


def test_prompts_that_are_refused_are_told_of_and_prove_nothing(tmp_path):
    for reason, words in (
        ("blocked", "8 blocked by the server's filter"),
        ("too_long", "8 not written, as the prompt is too long for the model's context"),
    ):
        engine, said = Scripted("", reason=reason), []
        ask(engine, tmp_path / f"{reason}.jsonl", said=said)
        assert [len(keys) for keys in engine.asked] == [8, 22]
        assert words in said[0]


def test_a_server_that_cuts_prompts_is_found_by_the_tokens_that_it_reads(tmp_path):
    long = [request(n, words=100) for n in range(20)]
    message = told(Scripted(FOUR_WORDS, read=40), tmp_path / "c.jsonl", requests=long)
    assert "of prompts of 200 to 200 words it read 40 to 40 tokens" in message
    growing = [request(n, words=50 + 10 * n) for n in range(20)]
    message = told(Scripted(FOUR_WORDS, read=512), tmp_path / "c.jsonl", requests=growing)
    assert "it cuts prompts to its context" in message
    ask(Scripted(FOUR_WORDS, read=200), tmp_path / "c.jsonl", requests=long)


def test_what_may_be_the_models_own_way_is_one_line(tmp_path):
    def line(stage, engine):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
        ask(engine, path, stage, said=(said := []))
        assert len(engine.asked) == 2
        return said[0].partition("on average")[2]

    assert line(JUDGMENTS, Scripted("Hard to say which.")) == ", 8 without a verdict"
    assert line(JUDGMENTS, Scripted("It is [[A]]", "Hm.")) == ", 4 without a verdict"
    assert line(FORCED, Scripted("{} is", reason="length")).startswith(", 8 cut off by ")
    assert line(ANSWERS, Scripted("", FOUR_WORDS)) == ", 4 without an answer"
    assert line(ANSWERS, Scripted("Yes.")) == ""
    assert line(ANSWERS, Scripted(FOUR_WORDS, thinking="<think>Hm.</think>")) == (
        ", 8 think first (not part of the answer)"
    )
    assert line(FORCED, Scripted("")) == ", 8 without an answer"
    assert line(ANSWERS, Scripted("<p>{}</p>", "<b>{}</b> is it.")) == ""
    for first, last in (("<ponder>", "</ponder>"), ("[PLAN]", "[/PLAN]")):
        found = line(ANSWERS, Scripted(f"{first}Hm.{last} {FOUR_WORDS}"))
        assert found.startswith(f", 8 begin with {first}…{last} (if that is a thought")
        assert f"thinking is {{open: '{first}', close: '{last}'}}" in found


def test_few_prompts_are_no_proof(tmp_path):
    found = ask(Scripted(""), tmp_path / "c.jsonl", requests=[request(n) for n in range(3)])
    assert [c.text for c in found] == ["", "", ""]


def test_a_budget_ends_the_probe_as_any_other_request(tmp_path):
    engine, budget = Scripted(FOUR_WORDS), Budget(tokens=5)
    found = ask(engine, tmp_path / "c.jsonl", budget=budget)
    assert [c.finish_reason for c in found].count("stop") == 2
    assert budget.stopped
    exact = Budget(tokens=8 * 4)
    found = ask(Scripted(FOUR_WORDS), tmp_path / "d.jsonl", budget=exact)
    assert [c.finish_reason for c in found].count("stop") == 8


def test_a_budget_holds_by_estimates_where_no_tokens_are_counted(tmp_path):
    said, path = [], tmp_path / "c.jsonl"
    budget = Budget(tokens=50, say=said.append)
    found = ask(Scripted(FOUR_WORDS, written=0, read=0), path, budget=budget, said=said)
    assert [c.finish_reason for c in found].count("stop") == 10  # 15 letters each
    assert CompletionStore(path).written_tokens == 50
    assert CompletionStore(path).completion_tokens == 0
    assert sorted(line.partition(":")[0] for line in said) == [
        "Tokens are not counted by what generates them",
        "probe (writing answers)",
    ]


def test_samples_that_share_one_answer_are_not_estimated(tmp_path):
    class Greedy(Scripted):
        def complete(self, requests):
            for c in super().complete(requests):
                yield c if c.key.endswith("-0") else Completion(c.key, c.text, "stop", 0, 0)

    wanted = [request(n, sample) for n in range(10) for sample in range(3)]
    ask(Greedy(FOUR_WORDS), tmp_path / "c.jsonl", requests=wanted)
    assert CompletionStore(tmp_path / "c.jsonl").written_tokens == 40
