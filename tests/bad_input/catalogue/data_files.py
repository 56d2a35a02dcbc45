"""Instructions, pairs and the files they come in."""

from tests.bad_input.catalogue.row import TO_FIX, Row, gzipped, lines, parquet, run_with

SKIP = "\nOr set on_bad_line: skip to leave such lines out and count them."
GENERATE = "ste generate ste.yaml"
GOOD = lines({"instruction": "Name a fruit."}, {"instruction": "Name a tree."})


def given(content: str | bytes | None, name: str = "instructions.jsonl", **source: str) -> dict:
    """A run whose instructions are this file."""
    settings = "".join(f", {key}: {value}" for key, value in source.items())
    files = run_with(instructions=f"[{{path: {name}{settings}}}]")
    del files["instructions.jsonl"]
    return files | {name: content}


def shards(files: dict[str, str | bytes], path: str = "data", **source: str) -> dict:
    """A run whose instructions are in these files of a folder."""
    run = given("", path, **source)
    del run[path]
    return run | {f"data/{name}": file for name, file in files.items()}


HUNDRED = {f"part-{n}.jsonl.gz": gzipped(GOOD) for n in range(100)}


def chat(*roles: str) -> str:
    return lines({"messages": [{"role": role, "content": "Hm."} for role in roles]})


CHATS = {"form": "openai", "turns": "all"}

INSTRUCTIONS = [
    Row(
        "a turn of nobody that is known",
        given(chat("user", "narrator", "user"), **CHATS),
        GENERATE,
        3,
        "instructions.jsonl:1: messages: turn 2: expected 'role' to be user, assistant, system or "
        "tool, found str 'narrator'. Fix or remove it." + SKIP,
    ),
    Row(
        "conversations without a user",
        given(chat("assistant"), **CHATS),
        GENERATE,
        3,
        "instructions.jsonl:1: messages: no turn of the user among 1. Fix or remove it." + SKIP,
    ),
    Row(
        "conversations that others begin",
        given(chat("assistant", "user"), **CHATS),
        GENERATE,
        3,
        "instructions.jsonl: no instruction is left of 1 rows read (first turn is not the user's "
        "1); expected at least one. Loosen `where`, correct `form` and `columns`, or give another "
        "file.",
    ),
    Row(
        "no instructions of that name",
        run_with(instructions="[{path: gone.jsonl}]"),
        GENERATE,
        3,
        "{tmp}/gone.jsonl: no such file. `path: gone.jsonl` of an instruction source is taken "
        "relative to the config's folder; correct it there.",
        apart=True,
    ),
    Row(
        "a folder of no instructions",
        given(None),
        GENERATE,
        3,
        "{tmp}/instructions.jsonl: expected files that end in .jsonl, .ndjson, .json (or these and "
        ".gz, .zst, .bz2, .xz) for reader: jsonl, found nothing. Put the files there, or correct "
        "`path`.",
    ),
    Row(
        "a folder of what only describes the instructions",
        shards({"README.md": "Read me.", "_SUCCESS": "", ".gitattributes": ""}),
        GENERATE,
        3,
        "{tmp}/data: expected files that end in .jsonl, .ndjson, .json (or these and .gz, .zst, "
        ".bz2, .xz) for reader: jsonl, found .gitattributes, README.md, _SUCCESS. Put the files "
        "there, or correct `path`.",
    ),
    Row(
        "a folder of files of several kinds",
        shards({"a.jsonl": GOOD, "b.jsonl.gz": gzipped(GOOD), "c.csv": "instruction\nx\n"}),
        GENERATE,
        3,
        "{tmp}/data: expected files that end in .jsonl, .ndjson, .json (or these and .gz, .zst, "
        ".bz2, .xz) for reader: jsonl, found c.csv beside 2 that do. Read one kind: `path` with a "
        "pattern such as FOLDER/**/*.jsonl*, a source for each.",
    ),
    Row(
        "a folder of Parquet without its reader",
        shards({f"data/train-0000{n}-of-00002.parquet": parquet({"x": 1}) for n in (0, 1)}),
        GENERATE,
        3,
        "{tmp}/data: expected files that end in .jsonl, .ndjson, .json (or these and .gz, .zst, "
        ".bz2, .xz) for reader: jsonl, found data/train-00000-of-00002.parquet, "
        "data/train-00001-of-00002.parquet. Set reader: parquet.",
    ),
    Row(
        "a folder of splits without the one that is asked for",
        shards({"test.jsonl": GOOD, "validation.jsonl": GOOD}),
        GENERATE,
        3,
        "{tmp}/data: expected the split 'train' (`split`), found files of test, validation. Set "
        "`split` to one of them, or name the files by a pattern.",
    ),
    Row(
        "a folder whose names do not show the split that is asked for",
        shards({"train.jsonl": GOOD, "more.jsonl": GOOD}, split="test"),
        GENERATE,
        3,
        "{tmp}/data: expected the split 'test' (`split`), found files of train and, of none, "
        "more.jsonl. Set `split` to one of them, or name the files by a pattern.",
    ),
    Row(
        "a copy of a data set that lacks a file",
        shards({f"data/train-0000{n}-of-00003.jsonl": GOOD for n in (0, 2)}),
        GENERATE,
        3,
        "{tmp}/data: expected 3 files data/train-…-of-…, found 2 of them. Fetch the others, or "
        "name those that are there by a pattern.",
    ),
    Row(
        "a Delta table",
        shards(
            {"_delta_log/0.json": "{}", "part-0.parquet": parquet({"instruction": "x"})},
            reader="parquet",
        ),
        GENERATE,
        3,
        "{tmp}/data: expected a folder of files that all count, found a Delta table (_delta_log), "
        "some of whose files may be deleted ones. Write its rows to files.",
    ),
    Row(
        "no path at all",
        run_with(instructions="[{path: ''}]"),
        GENERATE,
        3,
        "{tmp}: no such file. `path: ` of an instruction source is taken relative to the config's "
        "folder; correct it there.",
    ),
    Row(
        "a pattern that matches nothing",
        shards({"part-1.jsonl": GOOD, "part-2.jsonl": GOOD}, path="data/shard-*.jsonl"),
        GENERATE,
        3,
        "{tmp}/data/shard-*.jsonl: no file matches this pattern; {tmp}/data holds part-1.jsonl, "
        "part-2.jsonl. `path: data/shard-*.jsonl` of an instruction source is taken relative to "
        "the config's folder; correct it there.",
    ),
    Row(
        "one gzip file among many that is cut off",
        shards(HUNDRED | {"part-57.jsonl.gz": gzipped(GOOD)[:-9]}),
        GENERATE,
        3,
        "{tmp}/data/part-57.jsonl.gz: cannot be unpacked from line 1 on: it is cut off or damaged "
        "(Compressed file ended before the end-of-stream marker was reached). Fetch or write the "
        "file again.",
    ),
    Row(
        "one Parquet file among many that is cut off",
        shards(
            {f"{n}.parquet": parquet({"instruction": "x" * 3000}) for n in range(9)}
            | {"9.parquet": parquet({"instruction": "x" * 3000})[:400]},
            reader="parquet",
        ),
        GENERATE,
        3,
        "{tmp}/data/9.parquet: not a readable Parquet file: its end is missing, at row 0. Write or "
        "copy it again, or say what it is (`reader`; pairs: the ending of the name).",
    ),
    Row(
        "a page of a server named as Parquet",
        given("<!DOCTYPE html>\n<html>404</html>\n", "a.parquet", reader="parquet"),
        GENERATE,
        3,
        "{tmp}/a.parquet: not a readable Parquet file: found an HTML or XML page, as servers "
        "answer with an error, at row 0. Write or copy it again, or say what it is (`reader`; "
        "pairs: the ending of the name).",
    ),
    Row(
        "a pointer of Git LFS in place of a file",
        given("version https://git-lfs.github.com/spec/v1\noid sha256:8c1f\nsize 9\n"),
        GENERATE,
        3,
        "{tmp}/instructions.jsonl: expected text in UTF-8, found a Git LFS pointer, which only "
        "stands for the file. Fetch the file itself: git lfs pull.",
    ),
    Row(
        "JSON lines named as packed",
        given(GOOD, "a.jsonl.zst"),
        GENERATE,
        3,
        "{tmp}/a.jsonl.zst: cannot be unpacked: expected zstd, as its name says, found "
        '\'{"instruction": "Name a fruit."}\\n{"instruction": "Name a tre\'. Rename the file, or '
        "fetch it again.",
    ),
    Row(
        "an empty file",
        given(""),
        GENERATE,
        3,
        "instructions.jsonl: no instruction is left of 0 rows read; expected at least one. Loosen"
        " `where`, correct `form` and `columns`, or give another file.",
    ),
    Row(
        "a line that is cut off",
        given(GOOD + '{"instruction": "Name a'),
        GENERATE,
        3,
        "instructions.jsonl:3: not a JSON object (unterminated string, at character 17); found "
        '\'{"instruction": "Name a\'. Fix or remove the line.' + SKIP,
    ),
    Row(
        "a JSON list in one line",
        given('[{"instruction": "Name a fruit."}]'),
        GENERATE,
        3,
        "instructions.jsonl:1: expected one JSON object a line, found the start of a list, "
        "'[{\"instruction\": \"Name a fruit.\"}]'. Write one object a line: jq -c '.[]' OLD > NEW "
        "(jq -c . where there is no list around them).",
    ),
    Row(
        "JSON over several lines",
        given('{\n  "instruction": "Name a fruit."\n}\n'),
        GENERATE,
        3,
        "instructions.jsonl:1: expected a JSON object, found the start of one over several lines."
        " Write one object a line: jq -c '.[]' OLD > NEW (jq -c . where there is no list around "
        "them)." + SKIP,
    ),
    Row(
        "plain text",
        given("Name a fruit.\nName a tree.\n", "instructions.txt"),
        GENERATE,
        3,
        "instructions.txt:1: not a JSON object (expecting value, at character 1); found 'Name a "
        "fruit.'. Fix or remove the line." + SKIP,
    ),
    Row(
        "JSON lines with single quotes",
        given("{'instruction': 'Name a fruit.'}\n"),
        GENERATE,
        3,
        "instructions.jsonl:1: not a JSON object (expecting property name enclosed in double "
        "quotes, at character 2); found \"{'instruction': 'Name a fruit.'}\". Fix or remove the "
        "line." + SKIP,
    ),
    Row(
        "JSON lines in UTF-16",
        given(GOOD.encode("utf-16")),
        GENERATE,
        3,
        "{tmp}/instructions.jsonl: expected text in UTF-8, found text in UTF-16. Save it in "
        "UTF-8: iconv -f UTF-16 -t UTF-8 FILE.",
    ),
    Row(
        "JSON lines in Latin-1",
        given('{"instruction": "Nenne ein Öl."}\n'.encode("latin-1")),
        GENERATE,
        3,
        "instructions.jsonl:1: not a JSON object (not UTF-8 at byte 28: save the file in UTF-8); "
        'found \'{"instruction": "Nenne ein �l."}\'. Fix or remove the line.' + SKIP,
    ),
    Row(
        "JSON lines in a zip archive",
        given(b"PK\x03\x04\x14\x00\x06\x00" + bytes(range(200)), "instructions.jsonl.zip"),
        GENERATE,
        3,
        "{tmp}/instructions.jsonl.zip: expected text in UTF-8, found a zip archive, as workbooks "
        "are (.xlsx). Unpack it, or save the sheet as CSV in UTF-8.",
    ),
    Row(
        "a Parquet file read as JSON lines",
        given(parquet({"instruction": "x"}), "a.parquet"),
        GENERATE,
        3,
        "{tmp}/a.parquet: expected text in UTF-8, found Parquet. Read it as such (`reader: "
        "parquet`; pairs: a name that ends in .parquet).",
    ),
    Row(
        "a line of zero bytes, as a full disk leaves it",
        given(GOOD.encode() + bytes(40) + b"\n"),
        GENERATE,
        3,
        "instructions.jsonl:3: not a JSON object (expecting value, at character 1); found 40 zero"
        " bytes. Fix or remove the line." + SKIP,
    ),
    Row(
        "a column of another name",
        given(lines({"prompt": "Name a fruit."})),
        GENERATE,
        3,
        "instructions.jsonl:1: no column 'instruction'; found 'prompt'. Did you mean 'prompt'? "
        "Then set columns: {instruction: prompt}." + SKIP,
    ),
    Row(
        "conversations under the plain form",
        given(lines({"messages": [{"role": "user", "content": "Hi"}]})),
        GENERATE,
        3,
        "instructions.jsonl:1: no column 'instruction'; found 'messages'. Name the right one: "
        "columns: {instruction: ...}. The columns fit form: openai." + SKIP,
    ),
    Row(
        "a conversation without a user",
        given(lines({"messages": [{"role": "assistant", "content": "Hi"}]}), form="openai"),
        GENERATE,
        3,
        "instructions.jsonl:1: messages: no turn of the user among 1. Fix or remove it." + SKIP,
    ),
    Row(
        "an image in a turn",
        given(
            lines({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
            form="openai",
        ),
        GENERATE,
        3,
        "instructions.jsonl:1: messages: content: expected parts of type 'text' only, found dict "
        "\"{'type': 'image_url'}\". Fix or remove it." + SKIP,
    ),
    Row(
        "an instruction of spaces",
        given(GOOD + lines({"instruction": "  "})),
        GENERATE,
        3,
        "instructions.jsonl:3: expected an instruction, found an empty one. Fill it in or remove "
        "it." + SKIP,
    ),
    Row(
        "a column mapped that the form lacks",
        given(GOOD, columns="{text: instruction}"),
        GENERATE,
        2,
        "instructions.columns: the form 'plain' has no column 'text'. It has: instruction, "
        "category, id, final_answer. Write {form's column: file's column}.",
    ),
    Row(
        "a filter on a column that is not there",
        given(GOOD, where="{lang: English}"),
        GENERATE,
        3,
        "instructions.jsonl:1: where: no column 'lang'; found 'instruction'. `where` takes the "
        "file's own column names." + SKIP,
    ),
    Row(
        "a filter that leaves nothing",
        given(lines({"instruction": "Nenne ein Obst.", "lang": "German"}), where="{lang: English}"),
        GENERATE,
        3,
        "instructions.jsonl: no instruction is left of 1 rows read (filtered: lang 1); expected "
        "at least one. Loosen `where`, correct `form` and `columns`, or give another file.",
    ),
    Row(
        "a filter for a word that YAML takes for a boolean",
        given(lines({"instruction": "Si noe.", "lang": "no"}), where="{lang: no}"),
        GENERATE,
        3,
        "instructions.jsonl: no instruction is left of 1 rows read (filtered: lang 1); expected "
        "at least one. Loosen `where`, correct `form` and `columns`, or give another file.\n"
        "`where` asks for lang: false, which YAML makes of no or off, too: put the word in quotes "
        "where it is the file's own.",
    ),
    Row(
        "all lines bad and skipped",
        given("a\nb\n", on_bad_line="skip"),
        GENERATE,
        3,
        "instructions.jsonl: no instruction is left of 2 rows read (malformed line 2); expected "
        "at least one. Loosen `where`, correct `form` and `columns`, or give another file.\n"
        "The first bad line: instructions.jsonl:1: not a JSON object (expecting value, at "
        "character 1); found 'a'. Fix or remove the line.",
    ),
    Row(
        "a reader that there is not",
        given(GOOD, reader="json"),
        GENERATE,
        2,
        "instructions.reader: no 'json'. Did you mean 'jsonl'? There are: csv, hub, jsonl, "
        "parquet; a plugin can add more (see `ste plugins`).",
    ),
    Row(
        "CSV with semicolons",
        given("instruction;category\nName a fruit.;food\n", "a.csv", reader="csv"),
        GENERATE,
        3,
        "a.csv:2: no column 'instruction'; found 'instruction;category'. Its fields are separated"
        " by ';': save it with commas." + SKIP,
    ),
    Row(
        "CSV with an open quote",
        given(
            'instruction,category\n"Name a fruit.,food\nName a tree.,wood\n', "a.csv", reader="csv"
        ),
        GENERATE,
        3,
        "a.csv:2: not a CSV record: broken quoting (unexpected end of data), and where it ends "
        "cannot be told. Fix its quotes: close each field that begins with one, and write those "
        "within it twice.",
    ),
    Row(
        "CSV with a comma too many",
        given("instruction,category\nName a fruit, please.,food\n", "a.csv", reader="csv"),
        GENERATE,
        3,
        "a.csv:2: expected 2 fields as in the header, found 3: 'Name a fruit, please.,food'. Fix"
        " or remove the record; a comma inside a field needs quotes." + SKIP,
    ),
    Row(
        "CSV with a column twice",
        given("instruction,instruction\na,b\n", "a.csv", reader="csv"),
        GENERATE,
        3,
        "a.csv:1: the header names 'instruction' more than once; expected each column once. "
        "Rename one of them.",
    ),
    Row(
        "CSV in Windows-1252",
        given("instruction\nNenne ein Öl.\n".encode("cp1252"), "a.csv", reader="csv"),
        GENERATE,
        3,
        "a.csv:2: expected UTF-8, found other bytes. Save the file as UTF-8." + SKIP,
    ),
    Row(
        "a workbook named .csv",
        given(b"PK\x03\x04\x14\x00\x06\x00" + bytes(range(200)), "a.csv", reader="csv"),
        GENERATE,
        3,
        "{tmp}/a.csv: expected text in UTF-8, found a zip archive, as workbooks are (.xlsx). "
        "Unpack it, or save the sheet as CSV in UTF-8.",
    ),
    Row(
        "CSV with a field of 17 million characters",
        given("instruction\n" + "x" * 17_000_000 + "\n", "a.csv", reader="csv"),
        GENERATE,
        3,
        "a.csv:2: not a CSV record: a field of more than 16,777,216 characters, as after a quote "
        "that is never closed. Fix or remove it." + SKIP,
    ),
    Row(
        "JSON lines read as Parquet",
        given(GOOD, reader="parquet"),
        GENERATE,
        3,
        "{tmp}/instructions.jsonl: not a readable Parquet file: it begins with b'{\"instru' "
        "instead of b'PAR1', at row 0. Write or copy it again, or say what it is (`reader`; "
        "pairs: the ending of the name).",
    ),
    Row(
        "half a Parquet file",
        given(parquet({"instruction": "x" * 3000})[:400], "a.parquet", reader="parquet"),
        GENERATE,
        3,
        "{tmp}/a.parquet: not a readable Parquet file: its end is missing, at row 0. Write or "
        "copy it again, or say what it is (`reader`; pairs: the ending of the name).",
    ),
    Row(
        "a hub data set that cannot be reached",
        given("", "nobody/nothing", reader="hub"),
        GENERATE,
        3,
        "hub:nobody/nothing (split 'train'): cannot be read, at row 0 ({host}). Check the name, "
        "`split`, `subset` and the network.",
    ),
    Row(
        "an input that the form does not read",
        given(lines({"instruction": "Translate it.", "input": "Guten Tag"})),
        GENERATE,
        3,
        "instructions.jsonl:1: 'input' asks something that is not in 'instruction', 'Guten Tag'. "
        "Set form: alpaca to read both, or columns: {instruction: instruction} for that alone."
        + SKIP,
    ),
    Row(
        "CSV without its reader",
        given("instruction\nName a fruit.\n", "a.csv"),
        GENERATE,
        3,
        "{tmp}/a.csv: expected JSON lines, found a name that ends in .csv. Set reader: csv.",
    ),
    Row(
        "a hub data set without its reader",
        run_with(instructions="[{path: tatsu-lab/alpaca}]"),
        GENERATE,
        3,
        "{tmp}/tatsu-lab/alpaca: no such file. `path: tatsu-lab/alpaca` of an instruction source "
        "is taken relative to the config's folder; correct it there, or set reader: hub.",
    ),
    Row(
        "more of a category than there is",
        given(lines({"instruction": "Name a fruit.", "category": "food"}))
        | {"ste.yaml": run_with(selection="{categories: {food: 1, wood: 5}}")["ste.yaml"]},
        GENERATE,
        2,
        "selection.categories: the pool is too small for its quotas ('wood': found 0, wanted 5). "
        "Categories at this point: food 1. Lower the quota, add instructions, loosen the "
        "selectors before it, or let the generator label categories (label: true).",
    ),
]

PAIR = {
    "id": "1",
    "subset": "all",
    "prompt": "Name a fruit.",
    "chosen": "An apple.",
    "rejected": "A spade.",
}


HELPSTEER3 = {
    "context": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Who?"}],
    "response1": "So.",
    "response2": "No.",
    "overall_preference": -2,
}


def measured(name: str) -> str:
    """The command that measures on a file of pairs."""
    return f"ste eval --model some/judge --data {name}"


PAIRS = [
    Row(
        "no pairs of that name",
        {},
        measured("gone.jsonl"),
        3,
        "{tmp}/gone.jsonl: no such file or folder. Correct the path: --data, evaluation.pairs or "
        "evaluation.data, or STE_JUDGE_DATA.",
    ),
    Row(
        "a folder without the benchmark",
        {"data/other.jsonl": lines(PAIR)},
        measured("data"),
        3,
        "{tmp}/data: expected local.jsonl (or .json, .csv, .parquet) or a folder local with such "
        "files in it; found neither such a file nor folder. Put the benchmark's rows there, in "
        "one of these ways.",
    ),
    Row(
        "two files of one benchmark",
        {"data/local.jsonl": lines(PAIR), "data/local.csv": "id\n1\n"},
        measured("data"),
        3,
        "{tmp}/data: expected local.jsonl (or .json, .csv, .parquet) or a folder local with such "
        "files in it; found {tmp}/data/local.jsonl, {tmp}/data/local.csv. Put the benchmark's "
        "rows there, in one of these ways.",
    ),
    Row(
        "an empty file of pairs",
        {"pairs.jsonl": ""},
        measured("pairs.jsonl"),
        3,
        "{tmp}/pairs.jsonl: nothing to judge in it; expected rows of labelled pairs. Fill it, "
        "or name another.",
    ),
    Row(
        "pairs without a rejected answer",
        {"pairs.jsonl": lines({k: v for k, v in PAIR.items() if k != "rejected"})},
        measured("pairs.jsonl"),
        3,
        "{tmp}/pairs.jsonl:1: no column 'rejected'; found 'id', 'subset', 'prompt', 'chosen'. "
        "Say what it is called (ste eval --columns rejected=…; STE_JUDGE_COLUMNS the same; in a "
        "config rejected: … under columns), or add it.",
    ),
    Row(
        "pairs with one answer twice",
        {"pairs.jsonl": lines(PAIR | {"rejected": "An apple. "})},
        measured("pairs.jsonl"),
        3,
        "{tmp}/pairs.jsonl:1: 'chosen' and 'rejected' are the same text, so no verdict on pair "
        "'1' can be right. Remove the row.",
    ),
    Row(
        "pairs with one id twice",
        {"pairs.jsonl": lines(PAIR, PAIR)},
        measured("pairs.jsonl"),
        3,
        "{tmp}/pairs.jsonl:2: id '1' was already at {tmp}/pairs.jsonl:1. Give every row an id of "
        "its own.",
    ),
    Row(
        "pairs with an empty prompt",
        {"pairs.jsonl": lines(PAIR | {"prompt": ""})},
        measured("pairs.jsonl"),
        3,
        "{tmp}/pairs.jsonl:1: 'prompt' is empty. Fill it in or remove the row.",
    ),
    Row(
        "a label that is neither A nor B",
        {
            "pairs.jsonl": lines(
                {
                    "id": 1,
                    "subset": "s",
                    "prompt": "p",
                    "response_a": "a",
                    "response_b": "b",
                    "label": "C",
                }
            )
        },
        measured("pairs.jsonl"),
        3,
        "{tmp}/pairs.jsonl:1: 'label' is str 'C'; expected 'A' or 'B' or 'tie'. Correct it or "
        "remove the row.",
    ),
    Row(
        "half a surrogate pair",
        {"pairs.jsonl": lines(PAIR | {"chosen": "\ud83d"})},
        measured("pairs.jsonl"),
        3,
        "{tmp}/pairs.jsonl:1: 'chosen' is no valid Unicode (surrogates not allowed at character "
        "0). Fix or remove the row.",
    ),
    Row(
        "JSON lines named .json",
        {"pairs.json": lines(PAIR, PAIR | {"id": "2"})},
        measured("pairs.json"),
        3,
        "{tmp}/pairs.json: not JSON in UTF-8 (Extra data: line 2 column 1 (char 103)). One object"
        " per line? Rename it to .jsonl.",
    ),
    Row(
        "JSON of an object",
        {"pairs.json": '{"data": []}'},
        measured("pairs.json"),
        3,
        "{tmp}/pairs.json: expected one JSON list of objects, found one dict. Write [{…}, {…}], "
        "or one object per line into a file .jsonl.",
    ),
    Row(
        "pairs as CSV without a column",
        {"pairs.csv": "id,prompt,chosen\n1,a,b\n"},
        measured("pairs.csv"),
        3,
        "{tmp}/pairs.csv:2: no column 'rejected'; found 'id', 'prompt', 'chosen'. Say what it is "
        "called (ste eval --columns rejected=…; STE_JUDGE_COLUMNS the same; in a config "
        "rejected: … under columns), or add it.",
    ),
    Row(
        "pairs as tab-separated text",
        {"pairs.tsv": "id\tprompt\n1\tName a fruit.\n"},
        measured("pairs.tsv"),
        3,
        "{tmp}/pairs.tsv: expected a name that ends in .jsonl, .ndjson, .json, .csv, .parquet "
        "(texts also in .gz, .zst, .bz2, .xz), found '.tsv'. Rename or convert the file.",
    ),
    Row(
        "packed pairs that are cut off",
        {"pairs.jsonl.gz": gzipped(lines(PAIR))[:-9]},
        measured("pairs.jsonl.gz"),
        3,
        "{tmp}/pairs.jsonl.gz: cannot be unpacked from line 1 on: it is cut off or damaged "
        "(Compressed file ended before the end-of-stream marker was reached). Fetch or write the "
        "file again.",
    ),
    Row(
        "a pattern of pairs that matches nothing",
        {"pairs/a.jsonl": lines(PAIR)},
        measured("'pairs/b*.jsonl'"),
        3,
        "{tmp}/pairs/b*.jsonl: no file matches this pattern; {tmp}/pairs holds a.jsonl. Correct "
        "the path: --data, evaluation.pairs or evaluation.data, or STE_JUDGE_DATA.",
    ),
    Row(
        "pairs under other names",
        {"pairs.jsonl": lines({"ask": "Why?", "good": "So.", "rejectd": "No."})},
        measured("pairs.jsonl"),
        3,
        "{tmp}/pairs.jsonl:1: no column 'prompt', 'chosen', 'rejected'; found 'ask', 'good', "
        "'rejectd'. 'rejected': Did you mean 'rejectd'? Say what they are called (ste eval "
        "--columns prompt=…,chosen=…,rejected=…; STE_JUDGE_COLUMNS the same; in a config prompt: … "
        "under columns), or add them.",
    ),
    Row(
        "columns of pairs that are not in the file",
        {"pairs.jsonl": lines(PAIR)},
        measured("pairs.jsonl") + " --columns prompt=promt",
        3,
        "{tmp}/pairs.jsonl:1: no column 'promt', which columns says is its 'prompt'; found 'id', "
        "'subset', 'prompt', 'chosen', 'rejected'. Did you mean 'prompt'? Correct columns "
        "(STE_JUDGE_COLUMNS).",
    ),
    Row(
        "columns of pairs that mean nothing",
        {"pairs.jsonl": lines(PAIR)},
        measured("pairs.jsonl") + " --columns choosen=chosen",
        2,
        "columns (STE_JUDGE_COLUMNS): no shape has a column 'choosen'. Did you mean 'chosen'? "
        "Write {column of a shape: the file's column}, as {prompt: question, chosen: good, "
        "rejected: bad}.",
    ),
    Row(
        "columns of pairs without an equals sign",
        {"pairs.jsonl": lines(PAIR)},
        measured("pairs.jsonl") + " --columns prompt:question",
        2,
        "STE_JUDGE_COLUMNS (columns in --judge-args): found 'prompt:question'; expected "
        "prompt=question,chosen=good,rejected=bad (a JSON object where a name has a comma).",
    ),
    Row(
        "columns of a public benchmark",
        {"llmbar.jsonl": lines(PAIR)},
        measured("llmbar.jsonl") + " --task ste_llmbar --columns prompt=input",
        2,
        "STE_JUDGE_COLUMNS, STE_JUDGE_LABELS, STE_JUDGE_LISTS and STE_JUDGE_BAD_ROWS are of files "
        "of your own, and llmbar is read as it is published. Unset them, or judge the file by "
        "ste_local.",
    ),
    Row(
        "pairs whose scores say otherwise",
        {"pairs.jsonl": lines(PAIR, PAIR | {"id": "2", "score_chosen": 2, "score_rejected": 9})},
        measured("pairs.jsonl"),
        3,
        "{tmp}/pairs.jsonl:2: 'score_chosen' is 2 and 'score_rejected' is 9, but 'chosen' is said "
        "to be better. Correct or remove the row.",
    ),
    Row(
        "pairs of two shapes in one file",
        {"pairs.jsonl": lines(PAIR, HELPSTEER3)},
        measured("pairs.jsonl"),
        3,
        "{tmp}/pairs.jsonl:2: found 'response1', 'response2' (HelpSteer3), where the rows before "
        "it have 'chosen', 'rejected' (chosen and rejected). Put the rows of one shape into a file "
        "of their own.",
    ),
    Row(
        "a conversation that waits for no reply",
        {"pairs.jsonl": lines(HELPSTEER3)},
        measured("pairs.jsonl"),
        3,
        "{tmp}/pairs.jsonl:1: 'context' ends with the assistant's turn, where a reply is to "
        "follow; expected the user's. Remove that turn, or the row.",
    ),
    Row(
        "a file of pairs in the config read in no way that there is",
        run_with(evaluation="{pairs: {mine: {path: pairs.jsonl, lists: some}}}"),
        "ste run ste.yaml",
        2,
        TO_FIX + "evaluation.pairs.mine.lists: found 'some'; expected 'best_worst' or 'all'",
    ),
    Row(
        "a benchmark without its columns",
        {"judgebench.jsonl": lines(PAIR)},
        measured("judgebench.jsonl") + " --task ste_judgebench",
        3,
        "{tmp}/judgebench.jsonl:1: no column 'pair_id', 'question', 'response_model', "
        "'response_A', 'response_B', 'label'; found 'id', 'subset', 'prompt', 'chosen', "
        "'rejected'. Rename or add what is missing.",
    ),
    Row(
        "pairs of the config that are not there",
        run_with(evaluation="{pairs: {mine: gone.jsonl}}"),
        "ste run ste.yaml",
        3,
        "{tmp}/gone.jsonl: no such file or folder. Correct the path: --data, evaluation.pairs or "
        "evaluation.data, or STE_JUDGE_DATA.",
    ),
    Row(
        "a benchmark of the config that is not there",
        run_with(evaluation="{tasks: [ste_llmbar], data: copies}") | {"copies": None},
        "ste run ste.yaml",
        3,
        "{tmp}/copies: expected llmbar.jsonl (or .json, .csv, .parquet) or a folder llmbar with "
        "such files in it; found neither such a file nor folder. Put the benchmark's rows there, "
        "in one of these ways.",
    ),
]

ROWS = INSTRUCTIONS + PAIRS
