"""Personal data in instructions: what is found, what only looks like it, and what is told of it."""

import json
import re
import subprocess
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ste_plugin.config import PrivacyConfig
from ste_plugin.errors import ConfigError
from ste_plugin.instructions.privacy import scrub
from ste_plugin.instructions.turns import with_turns
from ste_plugin.records import ChatTurn, content_key
from ste_plugin.storage.jsonl import read_json, read_rows
from tests.helpers import ROOT
from tests.helpers.builders import config, instruction
from tests.helpers.fake_runs import generated, written

for library in ("phonenumbers", "stdnum"):
    pytest.importorskip(library, reason="pip install 'ste-plugin[privacy]'")

KINDS = ("email", "phone", "card", "iban", "ip", "key")
EVERYTHING = PrivacyConfig(scrub=KINDS, phone_regions=("US", "GB", "DE"))
PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"
FINDS = {
    "Write to jane.doe+news@mail.example.co.uk, please.": "Write to <EMAIL>, please.",
    "Ask <max@müller.de> about it": "Ask <<EMAIL>> about it",
    "Pay to GB82 WEST 1234 5698 7654 32 TODAY": "Pay to <IBAN> TODAY",
    "de89370400440532013000": "<IBAN>",
    "4111 1111 1111 1111 until 12/27": "<CARD> until 12/27",
    "It is 5500-0000-0000-0004.": "It is <CARD>.",
    "378282246310005": "<CARD>",
    "4111 1111 1111 1111 123, 5500000000000004 4111111111111111": "<CARD> 123, <CARD_2> <CARD_3>",
    "DE89370400440532013000 GB82WEST12345698765432": "<IBAN> <IBAN_2>",
    "Call (415) 555-2671 or 415-555-2672.": "Call <PHONE> or <PHONE_2>.",
    "415-555-2671\n415-555-2672 4155552671": "<PHONE>\n<PHONE_2> 4155552671",
    "It is 5500-0000-0000-0004.\n+49 30 901820 and 1234567\n+49 30 901820": (
        "It is <CARD>.\n<PHONE> and 1234567\n<PHONE>"
    ),
    "tel. 020 7946 0958": "tel. <PHONE>",
    "+49 30 901820": "<PHONE>",
    "my number is 4155552671": "my number is <PHONE>",
    "from 91.198.174.192:443": "from <IP>:443",
    "[2a00:1450:4001:81b::200e]": "[<IP>]",
    "OPENAI_API_KEY=sk-proj-Zb12cd34Ef56gh78Ij90kl12": "OPENAI_API_KEY=<KEY>",
    "AKIAIOSFODNN7EXAMPLE": "<KEY>",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a": "<KEY>",
    f"What is {PRIVATE_KEY}?": "What is <KEY>?",
    "postgres://app:s3cr3tpw@db.example.com/x": "postgres://app:<KEY>@db.example.com/x",
    "api_key: '9fQ2xLw8TzRb4KcV'": "api_key: '<KEY>'",
}
LOOKS_LIKE_IT = [
    "pip install foo==10.12.13.14, then version 12.10.1.44 of it",
    "127.0.0.1, 192.168.0.12, 10.0.0.1, 255.255.255.0 and 224.0.0.0",
    "See section 2.3.1.4, OID 1.3.101.112, or 12:30:45 and std::vector, a::b, fe80::1",
    "W@x.mean() and lodash@4.17.21 and icon@2x.png and git@github.com:a/b.git",
    "1250 - 200 - 700 = 350, and 0.804733217, and [0.9891705502]",
    "The seed is 4155552671, the id 593647757, the range 0-52428799/1073741824.",
    "4111 1111 1111 1112 and 0.4111111111111111 and 1234567812345678",
    "GB82 WEST 1234 5698 7654 33",
    "0-0 1-9 2-9 3-10 4-11 5-12 6-6 7-5 8-6 9-7 10-4",
    "sk-learn-a-new-language-in-a-year-please, sk-XXXXXXXXXXXXXXXXXXXXXXXX",
    "What does -----BEGIN RSA PRIVATE KEY----- mean in a file that nobody reads?",
    "password = os.environ['APP_PASSWORD'] and https://user:<password>@host/",
]


def scrubbed(text: str, wanted: PrivacyConfig = EVERYTHING) -> str:
    (clean,), _ = scrub([instruction(text=text)], wanted)
    return clean.text


@pytest.mark.parametrize("text", FINDS)
def test_personal_data_becomes_a_placeholder_of_its_kind(text):
    assert scrubbed(text) == FINDS[text]


def test_a_text_below_a_system_turn_stays_in_the_conversation_of_what_is_asked():
    told, asked = "Sign as a@example.com.\n\n", "Ask b@example.com and a@example.com."
    own = replace(instruction(text=told + asked), told=len(told))
    (found,), report = scrub([own], EVERYTHING)
    assert found.text == "Sign as <EMAIL>.\n\nAsk <EMAIL_2> and <EMAIL>."
    assert found.key == content_key("instruction", found.text)
    assert found.conversation == content_key("instruction", "Ask <EMAIL_2> and <EMAIL>.")
    assert report.counts["email"] == 3


@pytest.mark.parametrize("text", LOOKS_LIKE_IT)
def test_what_only_looks_like_personal_data_is_left_alone(text):
    assert scrubbed(text) == text


def test_only_the_kinds_asked_for_are_scrubbed():
    text = "a@b.de and 91.198.174.192"
    assert scrubbed(text, PrivacyConfig(scrub=("ip",))) == "a@b.de and <IP>"


def test_a_value_that_stands_twice_gets_the_same_placeholder_twice():
    assert scrubbed("a@b.de to c@d.de, then a@b.de") == "<EMAIL> to <EMAIL_2>, then <EMAIL>"


def test_a_scrubbed_instruction_has_the_key_of_its_new_text_and_all_else_it_had():
    before = instruction(text="Write to a@b.de.", category="mail")
    (after,), _ = scrub([before], EVERYTHING)
    assert after.key == content_key("instruction", "Write to <EMAIL>.")
    assert (after.category, after.source) == ("mail", before.source)


def test_an_address_that_is_the_id_of_a_row_goes_from_its_source():
    (clean,), _ = scrub([instruction()], EVERYTHING)
    one = instruction().__class__("k", "Hello", "chats.jsonl:3 (a@b.de)")
    (other,), _ = scrub([one], EVERYTHING)
    assert (clean.source, other.source) == ("tests", "chats.jsonl:3 (<EMAIL>)")


def test_a_value_has_one_placeholder_in_all_turns_of_a_conversation():
    turns = (
        ChatTurn("user", "I am a@b.de."),
        ChatTurn("assistant", "Hello a@b.de, not c@d.de."),
        ChatTurn("user", "No, c@d.de is gone."),
    )
    before = with_turns(instruction(), turns)
    (after,), report = scrub([before], EVERYTHING)
    assert [turn.content for turn in after.turns] == [
        "I am <EMAIL>.",
        "Hello <EMAIL>, not <EMAIL_2>.",
        "No, <EMAIL_2> is gone.",
    ]
    assert after == with_turns(instruction(), after.turns)
    assert after.conversation == content_key("instruction", "I am <EMAIL>.")
    assert (report.changed, report.counts["email"]) == (1, 4)


def test_nothing_is_scrubbed_unless_asked_for():
    given = [instruction(text="a@b.de")]
    clean, report = scrub(given, PrivacyConfig())
    assert clean == given
    assert report.to_dict() == {"scrub": [], "instructions": 1, "touched": 0, "found": {}}


def test_the_report_counts_by_kind_and_holds_no_value():
    texts = ["a@b.de, c@d.de", "91.198.174.192", "nothing"]
    _, report = scrub([instruction(text=t) for t in texts], EVERYTHING)
    assert (report.instructions, report.changed) == (3, 2)
    assert {k: n for k, n in report.counts.items() if n} == {"email": 2, "ip": 1}
    assert not re.search(r"@|91\.", json.dumps(report.to_dict()))


def unnumbered(text: str) -> str:
    return re.sub(r"_\d+>", ">", text)


LINES = FINDS | {text: text for text in LOOKS_LIKE_IT}


@given(st.lists(st.sampled_from(list(LINES))))
def test_what_is_found_in_a_line_does_not_depend_on_the_lines_around_it(lines):
    expected = "\n".join(LINES[line] for line in lines)
    assert unnumbered(scrubbed("\n".join(lines))) == unnumbered(expected)


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_scrubbed(text):
    plain = re.sub(r"<[A-Z]+(_\d+)?>", "", scrubbed(text))
    assert set(plain) <= set(text)


@given(st.integers(0, 10**14 - 1))
def test_every_card_number_of_a_great_issuer_is_found(number):
    from stdnum import luhn

    digits = f"4{number:014d}"
    assert scrubbed(f"{digits}{luhn.calc_check_digit(digits)}") == "<CARD>"


@given(st.integers(0, 10**18 - 1))
def test_every_german_iban_is_found_and_none_with_a_wrong_check_digit(number):
    from stdnum import iban

    rest = f"{number:018d}"
    right = iban.calc_check_digits(f"DE00{rest}")
    wrong = f"{int(right) % 97 + 1:02d}" if int(right) < 97 else "02"
    assert scrubbed(f"DE{right}{rest}") == "<IBAN>"
    assert "<IBAN>" not in scrubbed(f"DE{wrong}{rest}")


def test_a_region_that_there_is_not_is_refused():
    with pytest.raises(
        ConfigError, match="no region 'XX'; expected two letters of ISO 3166, such as US"
    ):
        scrubbed("hello", PrivacyConfig(scrub=("phone",), phone_regions=("XX",)))


def test_a_kind_that_there_is_not_is_refused_with_the_kinds_there_are(tmp_path):
    with pytest.raises(ConfigError, match="privacy.scrub(.|\n)*'email'"):
        config(tmp_path, privacy="{scrub: [faces]}")


def test_names_need_a_model_and_say_how_to_install_it():
    wanted = PrivacyConfig(scrub=("name",), name_model="no_such_model")
    with pytest.raises(ConfigError, match="pip install spacy(.|\n)*spacy download no_such_model"):
        scrubbed("Ann called.", wanted)


def test_names_are_those_that_a_spacy_model_finds(tmp_path):
    spacy = pytest.importorskip("spacy", reason="pip install spacy")
    nlp = spacy.blank("en")
    people = [{"label": "PERSON", "pattern": name} for name in ("Ann O'Neill", "assert f(7")]
    nlp.add_pipe("entity_ruler").add_patterns([*people, {"label": "ORG", "pattern": "Ford"}])
    nlp.to_disk(tmp_path / "names")
    wanted = PrivacyConfig(scrub=("name",), name_model=str(tmp_path / "names"))
    assert scrubbed("Ann O'Neill of Ford: assert f(7", wanted) == "<NAME> of Ford: assert f(7"


def in_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(("kind", "library"), [("phone", "phonenumbers"), ("card", "stdnum.luhn")])
def test_a_missing_library_is_named_with_the_extra_that_brings_it(kind, library):
    told = in_python(
        f"import sys; sys.modules[{library!r}] = None\n"
        "from ste_plugin.instructions.privacy import scrub\n"
        "from ste_plugin.config import PrivacyConfig\n"
        f"scrub([], PrivacyConfig(scrub=({kind!r},)))"
    )
    assert f"{kind} needs the library {library.partition('.')[0]}" in told
    assert "pip install 'ste-plugin[privacy]'" in told


def test_the_libraries_are_imported_only_where_they_are_needed():
    told = in_python(
        "import sys\n"
        "from ste_plugin.instructions.privacy import scrub\n"
        "from ste_plugin.config import PrivacyConfig\n"
        "scrub([], PrivacyConfig(scrub=('email', 'ip', 'key')))\n"
        "print([m for m in ('phonenumbers', 'stdnum', 'spacy') if m in sys.modules])"
    )
    assert told.strip() == "[]"


def test_a_run_never_holds_what_was_scrubbed(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model, privacy={"scrub": ["email", "ip"]})
    with (tmp_path / "instructions.jsonl").open("a") as file:
        file.write(
            json.dumps({"instruction": "Greet kim@quokka.org.", "id": "kim@quokka.org"}) + "\n"
        )
    generated(path)
    run = tmp_path / "run"
    texts = [row["text"] for _, row in read_rows(run / "pool/instructions.jsonl")]
    assert "Greet <EMAIL>." in texts
    assert read_json(run / "pool/done.json")["scrubbed"] == {"email": 1, "ip": 0}
    assert read_json(run / "pool/privacy.json") == {
        "scrub": ["email", "ip"],
        "instructions": 42,
        "touched": 1,
        "found": {"email": 1, "ip": 0},
    }
    holding = [p for p in run.rglob("*") if p.is_file() and b"quokka" in p.read_bytes()]
    assert holding == []


def test_a_run_without_scrubbing_has_no_report_of_it(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model)
    assert "privacy" not in yaml.safe_load(path.read_text())
    generated(path)
    assert not (tmp_path / "run/pool/privacy.json").exists()
    assert "scrubbed" not in read_json(tmp_path / "run/pool/done.json")


SHARED = ROOT.parent / "shared/data/instructions"


@pytest.mark.slow
def test_real_instructions_raise_hardly_a_false_alarm():
    files = sorted(SHARED.glob("*.jsonl"))
    if not files:
        pytest.skip(f"{SHARED} is not there")
    given = [instruction(text=row["instruction"]) for f in files for _, row in read_rows(f)]
    _, report = scrub(given, EVERYTHING)
    assert len(given) > 9000
    assert report.counts == {"key": 0, "email": 3, "iban": 0, "card": 0, "phone": 1, "ip": 1}


def test_a_final_answer_is_scrubbed_as_its_instruction_is():
    asked = replace(instruction(text="Whom do I write to?"), final_answer="jane.doe@example.org")
    (found,), report = scrub([asked], EVERYTHING)
    assert (found.text, found.final_answer) == (asked.text, "<EMAIL>")
    assert (report.changed, report.counts["email"]) == (1, 1)
    (other,), _ = scrub([instruction()], EVERYTHING)
    assert "final_answer" not in other.to_dict()
