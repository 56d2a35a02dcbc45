"""Publications that cannot be made as asked, and published judges that are not what they name."""

import json

from tests.bad_input.catalogue.row import TINY, Row, started

ASK = "--instruction x --a y --b z"


def judge(**more: object) -> str:
    """What a published judge's folder says of itself."""
    own = {
        "ste_judge": 1,
        "ste_plugin": "0.1.0",
        "base_model": "",
        "iteration": 1,
        "judge_format": {
            "name": "brief",
            "version": "brief-00000000",
            "closing": "[[",
            "reasons": True,
            "pointwise": False,
            "max_new_tokens": 160,
        },
        "chat_template_kwargs": {},
        "thinking": None,
        "force_verdict": False,
        "max_new_tokens": None,
        "sha256": {},
    }
    return json.dumps(own | more)


ROWS = [
    Row(
        "a publication of a folder that is no run",
        {"run": None},
        "ste publish run --to out",
        2,
        "run: neither a run's folder (no run.yaml in it) nor a config. Give one of them.",
    ),
    Row(
        "a publication of a run that is not finished",
        started(),
        "ste publish run --to out",
        2,
        "{tmp}/run: not finished, so that it ships no judge yet. `ste run` goes on; or publish "
        "what is there: --iteration NUMBER.",
    ),
    Row(
        "a publication into a folder that holds something",
        started() | {"out/mine.txt": "Mine."},
        "ste publish run --to out",
        2,
        "--to: out is not empty: mine.txt is in it. Name another folder, or remove it: what is "
        "published is written whole, beside nothing else.",
    ),
    Row(
        "a publication to a hub under a name that is none",
        started(),
        "ste publish run --to hub:judge",
        2,
        "--to: found hub:judge; expected a folder, or hub:ORG/NAME.",
    ),
    Row(
        "a publication to a hub while hubs are switched off",
        started(),
        "ste publish run --to hub:org/judge",
        2,
        "--to: HF_HUB_OFFLINE is set, so that no hub is reached. Unset it, or publish into a "
        "folder: --to FOLDER.",
        env={"HF_HUB_OFFLINE": "1"},
        apart=True,
    ),
    Row(
        "a publication of a part that there is none of",
        started(),
        "ste publish run --to out --what modell",
        2,
        "--what: found 'modell'. Did you mean 'model'? Expected some of model, data, report, with "
        "commas between them.",
    ),
    Row(
        "a published judge with other weights than its card names",
        {"judge": TINY, "judge/ste_judge.json": judge(sha256={"model.safetensors": "0" * 64})},
        f"ste judge judge --format plan {ASK}",
        3,
        "judge/model.safetensors: not the file of the judge that ste_judge.json names (SHA-256 "
        "{host}, expected 000000000000), so that the card's figures are another judge's. Get the "
        "folder again. If you changed it on purpose, remove ste_judge.json: nothing is checked or "
        "preset then.",
    ),
    Row(
        "a published judge whose format has other words here",
        {"judge": TINY, "judge/ste_judge.json": judge()},
        f"ste judge judge {ASK}",
        2,
        "judge/ste_judge.json: the judge was trained in the format brief-00000000, and the "
        "'brief' of this installation is {host}: it would be asked in other words. Expected the "
        "format of ste-plugin as it was (ste-plugin 0.1.0): install that. If you changed it on "
        "purpose, remove ste_judge.json: nothing is checked or preset then.",
    ),
    Row(
        "a published judge of a newer version",
        {"judge/ste_judge.json": judge(ste_judge=9)},
        f"ste judge judge {ASK}",
        2,
        "judge/ste_judge.json: found form 9 of this file; this ste-plugin knows 1. Install "
        "a newer one.",
    ),
]
