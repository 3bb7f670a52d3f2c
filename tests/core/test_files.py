"""Files whose bytes depend on their content alone, whole or not there."""

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from mnist_pipeline.core import files


def test_json_is_written_with_its_folder_and_comes_back(tmp_path: Path) -> None:
    content = {"b": [1, 0.1 + 0.2], "a": "–"}
    path = tmp_path / "new" / "content.json"
    files.write_json(path, content)
    assert files.read_json(path) == content
    assert path.read_bytes().endswith(b"}\n")
    assert b"\r" not in path.read_bytes()


def test_csv_has_no_index_and_plain_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    files.write_csv(path, pd.DataFrame({"name": ["a", None], "value": [0.1, 2.0]}, index=[7, 8]))
    assert path.read_bytes() == b"name,value\na,0.1\n,2.0\n"


def test_rows_are_written_as_a_table_is(tmp_path: Path) -> None:
    one, other, rows = tmp_path / "new" / "rows.csv", tmp_path / "table.csv", [('a, "b"', 1), ("NA", 2), ("é\n", 3)]
    files.write_rows(one, ("name", "value"), iter(rows))
    files.write_csv(other, pd.DataFrame(rows, columns=["name", "value"]))
    assert one.read_bytes() == other.read_bytes()


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 100_000)
    assert files.sha256_of(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_a_file_and_a_folder_appear_whole_and_leave_nothing_beside_them(tmp_path: Path) -> None:
    file, folder = tmp_path / "new" / "file", tmp_path / "new" / "folder"
    with files.whole(file) as part:
        part.write_text("content")
        assert not file.exists()
    with files.whole(folder) as part:
        (part / "inside").mkdir(parents=True)
        (part / "inside" / "file").write_text("content")
        assert not folder.exists()
    assert sorted(file.parent.iterdir()) == [file, folder]
    assert file.read_text() == (folder / "inside" / "file").read_text() == "content"


def write_half(path: Path) -> None:
    with files.whole(path) as part:
        part.write_text("half")
        raise KeyError


def test_when_writing_fails_the_earlier_version_stays(tmp_path: Path) -> None:
    file = tmp_path / "file"
    files.write_durably(file, b"earlier")
    with pytest.raises(KeyError):
        write_half(file)
    assert file.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("left", ["file", "folder"])
def test_what_a_killed_writer_left_is_not_part_of_the_new_version(left: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    beside = tmp_path / "place.part"
    beside.write_text("half") if left == "file" else (beside / "half").mkdir(parents=True)
    with files.whole(place) as part:
        part.mkdir()
        (part / "file").write_text("content")
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["place", "place/file"]


def test_a_folder_with_something_in_it_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("content")
    with pytest.raises(OSError, match="not empty"), files.whole(tmp_path / "mine") as part:
        part.mkdir()
    assert (tmp_path / "mine" / "file").read_text() == "content"
