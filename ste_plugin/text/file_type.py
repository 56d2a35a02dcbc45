"""What a file or line is that cannot be read as expected, in words for an error."""

import json
import re

HEAD_BYTES = 512
"""How much of a file `explain_file_type` looks at."""
_AS_UTF8 = "Save it in UTF-8: iconv -f UTF-16 -t UTF-8 FILE"
_FILE_TYPES = {
    rb"\x1f\x8b": ("gzip", "Unpack it: gunzip FILE"),
    rb"\x28\xb5\x2f\xfd": ("zstd", "Unpack it: unzstd FILE"),
    rb"BZh": ("bzip2", "Unpack it: bunzip2 FILE"),
    rb"\xfd7zXZ": ("xz", "Unpack it: unxz FILE"),
    rb"PK\x03\x04": (
        "a zip archive, as workbooks are (.xlsx)",
        "Unpack it, or save the sheet as CSV in UTF-8",
    ),
    rb"(?s).{257}ustar": ("a tar archive", "Unpack it: tar -xf FILE"),
    rb"PAR1": (
        "Parquet",
        "Read it as such (`reader: parquet`; pairs: a name that ends in .parquet)",
    ),
    rb"\xff\xfe|\xfe\xff": ("text in UTF-16", _AS_UTF8),
    rb"version https://git-lfs": (
        "a Git LFS pointer, which only stands for the file",
        "Fetch the file itself: git lfs pull",
    ),
    rb"(?i)\s*<(?:!doctype|html|\?xml|error)": (
        "an HTML or XML page, as servers answer with an error",
        "Fetch the file again, and look at what the page says",
    ),
}
"""First bytes, as a regular expression → what the file is, and what to do."""
JSON_LINES_HINT = (
    " Write one object a line: jq -c '.[]' OLD > NEW (jq -c . where there is no list around them)."
)


def explain_file_type(head: bytes) -> str:
    """Return what such a file is and what to do, to follow "expected text in UTF-8", or ''."""
    for start, (file_type, hint) in _FILE_TYPES.items():
        if re.match(start, head):
            return f"found {file_type}. {hint}."
    return ""


def explain_not_utf8(content: bytes, error: UnicodeDecodeError) -> str:
    """Return what bytes that are not UTF-8 are, where the first wrong one is, and what to do."""
    byte, line = content[error.start], content.count(b"\n", 0, error.start) + 1
    return explain_file_type(content[:HEAD_BYTES]) or (
        f"found the byte 0x{byte:02x} in line {line}, as of Latin-1 or Windows-1252. "
        "Save it in UTF-8."
    )


def explain_json_error(error: Exception) -> str:
    """Return why a line is not a JSON object, in words."""
    if isinstance(error, json.JSONDecodeError):
        problem = error.msg[:1].lower() + error.msg[1:].removesuffix(" starting at")
        return f"{problem}, at character {error.pos + 1}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start + 1}: save the file in UTF-8"
    return "nested too deeply"


def quote_start(line: bytes) -> str:
    """Return how a line begins, in quotes, for an error."""
    start = line[:60].decode("utf-8", "replace").strip()
    return repr(start) if start.strip("\0") else f"{len(line.strip(bytes([10, 13])))} zero bytes"
