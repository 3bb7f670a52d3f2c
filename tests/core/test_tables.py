from pathlib import Path

from mnist_pipeline.core import tables

ROWS = [{"model": "mlp_28", "errors": 9, "change": "+0.1%"}, {"model": "a", "errors": 1200, "change": None}]


def test_words_to_the_left_numbers_to_the_right() -> None:
    assert tables.text(ROWS).splitlines() == [
        "model      errors    change",
        "mlp_28          9     +0.1%",
        "a            1200         –",
    ]


def test_as_markdown() -> None:
    head, sides, *rows = tables.markdown(ROWS).splitlines()
    assert [cell.strip() for cell in head.split("|")] == ["", "model", "errors", "change", ""]
    assert [cell.endswith(":") for cell in sides.split("|")[1:-1]] == [False, True, True]
    assert [cell.strip() for cell in rows[1].split("|")] == ["", "a", "1200", "–", ""]


def test_markdown_takes_any_value_and_leaves_figures_as_they_are() -> None:
    rows = [{"seconds": "0.50", "ratio": 1.10, "met": True, "path": Path("a.csv")}]
    cells = [cell.strip() for cell in tables.markdown(rows).splitlines()[2].split("|")[1:-1]]
    assert cells == ["0.50", "1.1", "True", "a.csv"]


def test_what_looks_like_a_number_is_left_as_it_is() -> None:
    assert tables.text([{"md5": "1e5"}, {"md5": "0012"}]).split() == ["md5", "1e5", "0012"]


def test_a_column_with_any_word_is_words() -> None:
    assert tables.text([{"version": "7 champion"}, {"version": "12"}]).splitlines() == ["version", "7 champion", "12"]


def test_a_cell_gives_a_terminal_no_orders() -> None:
    assert tables.text([{"reason": "\x1b[2Jgone\x9b\r"}]) == "reason\n?[2Jgone??"


def test_no_rows_no_table() -> None:
    assert tables.text([]) == ""


def test_nested_keys_are_joined() -> None:
    content = {"a": {"b": 1, "c": {}}, "d": [1, {"e": 2}], 3: None}
    assert tables.flat(content) == {"a.b": 1, "a.c": {}, "d": [1, {"e": 2}], "3": None}
    assert tables.flat(content, lists=True) == {"a.b": 1, "a.c": {}, "d.0": 1, "d.1.e": 2, "3": None}
    assert tables.flat([]) == tables.flat({}) == tables.flat(3) == {}
