"""Files whose bytes depend on their content alone."""

import hashlib
from pathlib import Path

import pandas as pd

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


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 100_000)
    assert files.sha256_of(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()
