import pytest

from fmcgan.app.formatting import terminal_columns, text_table, wrapped_list

HEAD = ["score", "samples", "real", "note"]
ROWS = [["distance", "1.5", "0.25", "near"], ["x", "10", "1", "far"]]


def test_columns_are_left_out_from_the_right_until_the_table_fits():
    whole = "score     samples  real  note\ndistance      1.5  0.25  near\nx              10     1  far\n"
    assert text_table(HEAD, ROWS, 80, right=(1, 2)) == whole
    assert text_table(HEAD, ROWS, 29, right=(1, 2)) == whole
    fewer = "score     samples  real\ndistance      1.5  0.25\nx              10     1\n"
    assert text_table(HEAD, ROWS, 28, right=(1, 2)) == fewer


def test_a_long_name_is_cut_if_the_fewest_columns_do_not_fit():
    assert text_table(HEAD, ROWS, 22, right=(1, 2), fewest=3).splitlines()[1] == "dist...      1.5  0.25"


@pytest.mark.parametrize(("variable", "columns"), [("132", 132), ("", 80)])
def test_the_width_is_80_without_a_terminal_unless_columns_is_set(monkeypatch, variable, columns):
    monkeypatch.setenv("COLUMNS", variable)
    monkeypatch.setattr("sys.__stdout__", None)
    assert terminal_columns() == columns


@pytest.mark.parametrize(("columns", "lines"), [(80, 1), (20, 2), (5, 3)])
def test_a_list_is_wrapped_between_its_items(columns, lines):
    text = wrapped_list("epoch 1:", ["fd 1.2", "recall 0.5"], columns)
    assert " ".join(text.split()) == "epoch 1: fd 1.2, recall 0.5"
    assert len(text.splitlines()) == lines
    assert columns == 5 or all(len(line) <= columns for line in text.splitlines())
