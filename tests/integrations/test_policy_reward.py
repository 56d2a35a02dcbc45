"""The judge as the reward of a policy, as TRL and axolotl call it."""

import json
import subprocess
import sys

import pytest
import yaml

from ste_plugin.engines.vllm.server_process import free_port
from ste_plugin.errors import ConfigError, DataError, EngineError
from ste_plugin.integrations import policy_reward
from ste_plugin.integrations.policy_reward import WinRate
from ste_plugin.integrations.silence import SILENT_BATCHES, UNDECIDED_PAIRS, SilenceWatch
from ste_plugin.judge import Comparison, Judge
from tests.helpers import ROOT, environment
from tests.helpers.asked_judges import fake_judge
from tests.helpers.axolotl_runs import LORA, ON_A_CPU, train_all
from tests.helpers.chat_server import RESET, Refuse, Said, chat_server
from tests.helpers.comparers import NO_VERDICT, TOO_LONG, Always, ShorterWins, says_shorter
from tests.helpers.tiny_model import save_tiny_model

ASK = [{"role": "user", "content": "Name a fruit."}]


def said(*texts):
    return [[{"role": "assistant", "content": text}] for text in texts]


@pytest.fixture
def of_environment(monkeypatch):
    """Sets `STE_REWARD_…`, for the reward that recipes name."""
    policy_reward._of_environment.cache_clear()
    yield lambda **given: [
        monkeypatch.setenv(f"STE_REWARD_{name.upper()}", text) for name, text in given.items()
    ]
    policy_reward._of_environment.cache_clear()


def test_completions_of_a_prompt_are_rewarded_for_beating_each_other():
    reward = WinRate(ShorterWins())
    completions = said("An apple, maybe.", "Fig.", "<think>Fig? Fig!</think>Fig.", "")
    found = reward(prompts=[ASK] * 4, completions=completions, completion_ids=[[1]] * 4)
    assert found == [0.5, 1.0, 1.0, 0.0]


def test_a_column_of_the_data_set_may_be_what_they_have_to_beat():
    reward = WinRate(ShorterWins(), reference="answer")
    prompts, completions = ["Name a fruit."] * 3, ["Fig.", "Apple.", "A plum."]
    assert reward(prompts, completions, answer=["Apple."] * 3, level=[1] * 3) == [1.0, 0.5, 0.0]
    with pytest.raises(ConfigError, match=r"no column 'answer'.*you mean 'answers'.*answers\.$"):
        reward(prompts, completions, answers=["Apple."] * 3, completion_ids=[[1]], trainer_state=0)


def test_a_name_in_place_of_a_judge_is_refused_with_what_to_write():
    with pytest.raises(ConfigError, match=r"found 'runs/a'; expected a judge, as Judge"):
        WinRate("runs/a")


def test_a_trainer_is_told_the_same_figures_for_every_batch():
    reward = WinRate(ShorterWins())
    told = []
    for texts in (("Fig.", "Apple."), ("Fig.", "Fig."), ("", "")):
        logged = {}
        reward([ASK] * 2, said(*texts), log_metric=logged.__setitem__)
        told.append(logged)
    names = {"win_rate/abstained", "win_rate/unread", "win_rate/lean_to_longer"}
    assert [set(logged) for logged in told] == [names] * 3
    assert told[0]["win_rate/lean_to_longer"] == -1.0
    assert set(told[2].values()) == {0.0}


def test_what_cannot_be_compared_is_told_and_neither_won_nor_lost(caplog):
    assert WinRate(Always(TOO_LONG))([ASK] * 2, said("Fig.", "Apple.")) == [0.5, 0.5]
    assert "1 of 1 comparisons could not be made" in caplog.text
    assert "too long for the model's context by 7 tokens" in caplog.text


@pytest.mark.parametrize(
    ("comparison", "cure"), [(NO_VERDICT, "max_new_tokens"), (TOO_LONG, "by 7 tokens")]
)
def test_a_judge_that_never_says_anything_ends_the_training(comparison, cure):
    reward = WinRate(Always(comparison))
    for _ in range(SILENT_BATCHES - 1):
        reward([ASK] * 2, said("Fig.", "Apple."))
    reward([ASK] * 2, said("", ""))  # shows the judge nothing, and so says nothing of it
    with pytest.raises(DataError, match=f"{SILENT_BATCHES} batches.*{cure}"):
        reward([ASK] * 2, said("Fig.", "Apple."))


THOUGHT = Said("", beside={"reasoning_content": "Hm. Final verdict: [[A]]"})


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (THOUGHT, "reasoning parser that takes the answer for one.*without a reasoning parser"),
        (Said("Well, both", "length"), "cut off by the token limit.*Raise max_new_tokens"),
        (Said("", "content_filter"), "blocked by the server's filter"),
        ("", "wrong format, or too few max_new_tokens"),
    ],
)
def test_a_server_that_never_gives_a_verdict_ends_the_training_with_its_reason(reply, why):
    with chat_server(lambda *_: reply, models=("judge",)) as server:
        reward = WinRate(Judge("judge", base_url=server.base_url, format="brief"))
        with pytest.raises(DataError, match=f"{SILENT_BATCHES} batches.*{why}"):
            for _ in range(SILENT_BATCHES):
                reward([ASK] * 2, said("Fig.", "Apple."))


@pytest.mark.parametrize(
    ("drawn", "cure"), [("orders differ", "ste audit.*by: probability"), ("tie", "without a tie")]
)
def test_a_judge_that_never_finds_a_winner_ends_the_training(drawn, cure):
    reward = WinRate(Always(Comparison(None, 0.5, drawn)))
    for _ in range(UNDECIDED_PAIRS - 1):
        reward([ASK] * 2, said("Fig.", "Apple."))
    with pytest.raises(DataError, match=rf"no winner .*first 64.*\({drawn}: 64\).*{cure}"):
        reward([ASK] * 2, said("Fig.", "Apple."))


@pytest.mark.parametrize("drawn", ["unsure", "orders differ"])
def test_a_cascade_that_always_abstains_ends_the_training_and_says_how_to_fit_another(drawn):
    reward = WinRate(Always(Comparison(None, None, drawn, stage="decision")), by="probability")
    with pytest.raises(DataError) as caught:
        for _ in range(UNDECIDED_PAIRS):
            reward([ASK] * 2, said("Fig.", "Apple."))
    told = str(caught.value)
    assert f"({drawn}: {UNDECIDED_PAIRS})" in told
    assert "It is a cascade, and none of its stages is sure enough" in told
    assert "(`ste cascade fit`): with a judge that reasons (--reasoning)" in told


def test_a_policy_whose_answers_become_alike_is_trained_on():
    judge = ShorterWins()
    reward = WinRate(judge)
    assert reward([ASK] * 2, said("Fig.", "An apple.")) == [1.0, 0.0]
    for _ in range(2 * UNDECIDED_PAIRS):
        assert reward([ASK] * 2, said("Fig.", "Nut.")) == [0.5, 0.5]


def test_a_judge_whose_chances_differ_is_none_without_a_winner():
    reward = WinRate(Always(Comparison(None, 0.6, "orders differ")), by="probability")
    for _ in range(2 * UNDECIDED_PAIRS):
        assert reward([ASK] * 2, said("Fig.", "Apple.")) == [0.6, 0.4]


def test_answers_that_were_not_shown_do_not_hide_a_silent_judge():
    same = Comparison(None, 0.5, "identical answers")
    watch = SilenceWatch("verdict")
    with pytest.raises(DataError, match="no verdict of the judge could be read"):
        for _ in range(SILENT_BATCHES):
            watch.see([NO_VERDICT, same])
            watch.see([same])


def test_a_server_that_dies_in_the_middle_is_an_error_and_no_reward():
    def dies(call):
        return RESET if call > 2 else None

    with chat_server(says_shorter, models=("judge",), fault=dies) as server:
        reward = WinRate(
            Judge("judge", base_url=server.base_url, format="brief", options={"max_attempts": 1})
        )
        assert reward([ASK] * 2, said("Fig.", "An apple.")) == [1.0, 0.0]
        with pytest.raises(EngineError, match="see the server's own log"):
            reward([ASK] * 2, said("Fig.", "An apple."))


def test_a_verdict_now_and_then_keeps_it_going():
    judge = Always(NO_VERDICT)
    reward = WinRate(judge)
    for batch in range(3 * SILENT_BATCHES):
        judge.said = NO_VERDICT if batch % SILENT_BATCHES else ShorterWins().compared("", "a", "bb")
        assert len(reward([ASK] * 2, said("Fig.", "Apple."))) == 2


def test_a_conversation_is_shown_to_a_judge_with_all_its_turns(monkeypatch):
    judge, engine = fake_judge(monkeypatch, lambda _: "It fits. Final verdict: [[A]]")
    turns = [*ASK, {"role": "assistant", "content": "A fig."}, {"role": "user", "content": "More."}]
    assert WinRate(judge)([turns] * 2, said("Plum.", "Pear.")) == [0.5, 0.5]
    shown = engine.requests[0].messages[-1].content
    assert "Name a fruit." in shown
    assert "More." in shown
    assert engine.count == 2  # one pair, both orders


def test_the_reward_that_recipes_name_takes_its_judge_from_the_environment(of_environment):
    with chat_server(says_shorter, models=("judge",)) as server:
        of_environment(judge="judge", base_url=server.base_url, format="brief")
        assert policy_reward.win_rate([ASK] * 2, said("Fig.", "An apple.")) == [1.0, 0.0]
        assert policy_reward.win_rate([ASK] * 2, said("An apple.", "Fig.")) == [0.0, 1.0]


def test_a_server_that_fails_is_an_error_and_no_reward(of_environment):
    with chat_server(says_shorter, models=("judge",), fault=lambda _: Refuse(500)) as server:
        options = json.dumps({"max_attempts": 1})
        of_environment(judge="judge", base_url=server.base_url, format="brief", options=options)
        with pytest.raises(EngineError, match="no usable answer"):
            policy_reward.win_rate([ASK] * 2, said("Fig.", "An apple."))


@pytest.fixture(scope="module")
def tiny_policy(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("policy"))


def rewards_of(log):
    return [line for line in log if "rewards/win_rate/mean" in line]


@pytest.mark.slow
@pytest.mark.usefixtures("warm_hosts")
def test_trl_trains_a_policy_in_two_processes_by_a_served_judge(tiny_policy, tmp_path):
    with chat_server(says_shorter, models=("judge",)) as server:
        settings = {"judge": "judge", "base_url": server.base_url, "format": "brief"}
        port = free_port(None)
        place = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1"}
        command = [sys.executable, "-m", "tests.helpers.policy_training", str(tiny_policy)]
        running = [
            subprocess.Popen(
                [*command, str(tmp_path / f"{rank}.json")],
                cwd=ROOT,
                env=environment(
                    **{f"STE_REWARD_{name.upper()}": text for name, text in settings.items()},
                    **{name: str(text) for name, text in place.items()},
                    RANK=str(rank),
                    LOCAL_RANK=str(rank),
                    MASTER_PORT=str(port),
                    OMP_NUM_THREADS="1",
                ),
            )
            for rank in range(2)
        ]
        assert [process.wait(600) for process in running] == [0, 0]
        judged = len(server.bodies)
    logged = rewards_of(json.loads((tmp_path / "0.json").read_text()))
    assert len(logged) == 2
    for line in logged:
        assert line["reward_std"] > 0
        assert line["win_rate/lean_to_longer"] == -1.0
        assert line["win_rate/unread"] == 0.0
    assert judged >= 2 * 2 * 2  # steps, processes, orders


@pytest.mark.slow
@pytest.mark.usefixtures("warm_hosts")
def test_axolotl_trains_a_policy_by_a_served_judge(tiny_policy, tmp_path, of_environment):
    rows = tmp_path / "prompts.jsonl"
    rows.write_text("".join(json.dumps({"prompt": ASK, "n": n}) + "\n" for n in range(8)))
    config = (
        ON_A_CPU
        | LORA
        | {
            "base_model": str(tiny_policy),
            "rl": "grpo",
            "trl": {
                "reward_funcs": ["ste_plugin.integrations.policy_reward.win_rate"],
                "num_generations": 4,
                "max_completion_length": 8,
                "beta": 0.0,
            },
            "datasets": [{"path": str(rows), "ds_type": "json", "split": "train"}],
            "dataset_prepared_path": str(tmp_path / "prepared"),
            "skip_prepare_dataset": True,
            "max_steps": 2,
            "output_dir": str(tmp_path / "out"),
        }
    )
    path = tmp_path / "policy.yaml"
    path.write_text(yaml.safe_dump(config))
    with chat_server(says_shorter, models=("judge",)) as server:
        of_environment(judge="judge", base_url=server.base_url, format="brief")
        assert train_all([path]) == {"policy": 0}, path.with_suffix(".log").read_text()[-2000:]
        assert server.bodies
    log = path.with_suffix(".log").read_text()
    assert log.count("'rewards/win_rate/mean'") == 2
    assert "'win_rate/lean_to_longer': '-1'" in log
