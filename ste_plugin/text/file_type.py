"""Files and lines that are not what they were taken for, in words for an error."""

import json

HEAD_BYTES = 8
"""How many bytes `foreign` looks at."""
_KINDS = (
    (b"\x1f\x8b", "gzip", "Unpack it: gunzip FILE"),
    (b"\x28\xb5\x2f\xfd", "zstd", "Unpack it: unzstd FILE"),
    (b"BZh", "bzip2", "Unpack it: bunzip2 FILE"),
    (b"\xfd7zXZ", "xz", "Unpack it: unxz FILE"),
    (b"PK\x03\x04", "a zip archive, as workbooks are (.xlsx)", "Unpack it, or save the sheet as CSV in UTF-8"),
    (b"PAR1", "Parquet", "Read it as such (`reader: parquet`; pairs: a name that ends in .parquet)"),
    (b"\xff\xfe", "text in UTF-16", "Save it in UTF-8: iconv -f UTF-16 -t UTF-8 FILE"),
    (b"\xfe\xff", "text in UTF-16", "Save it in UTF-8: iconv -f UTF-16 -t UTF-8 FILE"),
)  # fmt: skip


def explain_file_type(head: bytes) -> str:
    """Return what such a file is and what to do, for after "expected text in UTF-8"; empty for text."""
    return next(
        (f"found {what}. {cure}." for sign, what, cure in _KINDS if head.startswith(sign)), ""
    )


def explain_not_utf8(content: bytes, error: UnicodeDecodeError) -> str:
    """Return what bytes that are no UTF-8 are, where the first wrong one is, and what to do."""
    line = content.count(b"\n", 0, error.start) + 1
    other = f"found the byte 0x{content[error.start]:02x} in line {line}, as of Latin-1 or Windows-1252. Save it in UTF-8."  # fmt: skip
    return explain_file_type(content[:HEAD_BYTES]) or other


JSON_LINES_HINT = (
    " Write one object a line: jq -c '.[]' OLD > NEW (jq -c . where there is no list around them)."
)


def explain_json_error(error: Exception) -> str:
    """Return why a line is no JSON object, in words."""
    if isinstance(error, json.JSONDecodeError):
        what = error.msg[:1].lower() + error.msg[1:].removesuffix(" starting at")
        return f"{what}, at character {error.pos + 1}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start + 1}: save the file in UTF-8"
    return "nested too deeply"


def quote_start(line: bytes) -> str:
    """Return how a line begins, for an error."""
    start = line[:60].decode("utf-8", "replace").strip()
    return repr(start) if start.strip("\0") else f"{len(line.strip(bytes([10, 13])))} zero bytes"
