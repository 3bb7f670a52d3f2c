from mnist_pipeline import tables


def test_words_to_the_left_numbers_to_the_right() -> None:
    rows = [{"model": "mlp_28", "errors": 9, "change": "+0.1%"}, {"model": "a", "errors": 1200, "change": None}]
    assert tables.text(rows).splitlines() == [
        "model   errors  change",
        "mlp_28       9   +0.1%",
        "a         1200       –",
    ]


def test_a_column_with_any_word_is_words() -> None:
    assert tables.text([{"version": "7 champion"}, {"version": "12"}]).splitlines() == ["version", "7 champion", "12"]


def test_no_rows_no_table() -> None:
    assert tables.text([]) == ""
