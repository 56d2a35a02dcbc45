"""Single lines of a file, read by where they start."""

from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.storage.line_reader import LineReader

LENGTHS = st.lists(st.sampled_from([0, 1, 900, 16_383, 16_384, 70_000]), min_size=1, max_size=12)


@given(LENGTHS, st.lists(st.integers(0, 11), max_size=40), st.booleans())
def test_a_line_is_read_whole_in_any_order(tmp_path_factory, lengths, order, ended):
    lines = [b"%d" % n * length + b"\n" for n, length in enumerate(lengths)]
    lines[-1] = lines[-1] if ended else lines[-1][:-1]
    path = tmp_path_factory.mktemp("lines") / "some.jsonl"
    path.write_bytes(b"".join(lines))
    starts = [sum(map(len, lines[:n])) for n in range(len(lines))]
    reader = LineReader(path)
    for n in [*range(len(lines)), *(number % len(lines) for number in order)]:
        assert reader.read(starts[n]) == lines[n]


def test_what_was_appended_since_is_read(tmp_path):
    path = tmp_path / "some.jsonl"
    path.write_bytes(b"a\n")
    reader = LineReader(path)
    assert (reader.read(0), reader.read(2)) == (b"a\n", b"")
    with path.open("ab") as file:
        file.write(b"b\n")
    assert (reader.read(2), reader.read(0)) == (b"b\n", b"a\n")


def test_a_closed_reader_opens_its_file_again(tmp_path):
    path = tmp_path / "some.jsonl"
    path.write_bytes(b"a\n")
    reader = LineReader(path)
    reader.read(0)
    reader.close()
    path.write_bytes(b"b\n")
    assert reader.read(0) == b"b\n"


def test_lines_of_several_files_are_found_by_one_number(tmp_path):
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path in paths:
        path.write_text(f"{path.name}\nsecond of {path.name}\n")
    reader = LineReader(*paths)
    places = [reader.place(1, 0), reader.place(0, 8), reader.place(1, 8)]
    lines = [b"b.jsonl\n", b"second of a.jsonl\n", b"second of b.jsonl\n"]
    assert [reader.read(place) for place in places] == lines
    assert [reader.path(place) for place in places] == [paths[1], paths[0], paths[1]]
    reader.close()
    assert reader.read(places[0]) == lines[0]
