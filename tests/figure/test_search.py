"""The figures of a search: what is drawn where."""

import numpy as np
import pytest

from fmcgan.figure.search import Scores, Setting, front_figure, history_figure, importance_figure, settings_figure

VALUES = np.array([5.0, 3.0, np.nan, 9.0, 4.0, 2.0])
FINISHED = np.array([True, True, False, False, True, True])


def points(axes, label):
    (found,) = (each for each in axes.collections if each.get_label() == label)
    return found.get_offsets().tolist()


def test_the_best_value_so_far_is_that_of_finished_trials():
    assert np.array_equal(Scores("fd", VALUES).best_so_far(FINISHED), [5, 3, 3, 3, 3, 2])
    assert np.array_equal(Scores("recall", VALUES, higher=True).best_so_far(FINISHED), [5, 5, 5, 5, 5, 5])
    none = Scores("fd", VALUES).best_so_far(np.zeros(6, dtype=bool))
    assert np.isnan(none).all()


def test_the_history_shows_finished_and_pruned_trials():
    figure = history_figure([Scores("fd", VALUES), Scores("recall", VALUES, higher=True)], FINISHED)
    fd, recall = figure.axes
    assert points(fd, "finished") == [[0, 5], [1, 3], [4, 4], [5, 2]]
    assert points(fd, "pruned, last value") == [[3, 9]]
    assert [axes.get_ylabel() for axes in (fd, recall)] == ["value ↓", "value ↑"]
    assert [text.get_text() for text in figure.legends[0].texts] == ["finished", "pruned, last value", "best so far"]


def test_settings_have_a_panel_for_each_key_and_objective():
    settings = [
        Setting("training.generator_optimizer.lr", np.array([1e-4, 1e-3, 1e-2, 1e-3, 1e-2, 2e-3]), logarithmic=True),
        Setting("loss", np.array([0.0, 1, 0, 1, 0, 1]), choices=["hinge", "wgan"]),
        Setting("a", np.arange(6.0)),
        Setting("b" * 60, np.arange(6.0)),
    ]
    figure = settings_figure([Scores("fd", VALUES), Scores("recall", VALUES)], settings, FINISHED)
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == 8
    assert shown[0].get_xscale() == "log"
    assert "$" not in "".join(label.get_text() for label in shown[0].get_xticklabels())
    assert [label.get_text() for label in shown[1].get_xticklabels()] == ["hinge", "wgan"]
    assert shown[3].get_xlabel() == "..." + "b" * 37
    assert [axes.get_ylabel() for axes in shown[::4]] == ["fd ↓", "recall ↓"]


def test_importances_are_bars_from_0_to_1():
    figure = importance_figure({"fd": {"lr": 0.9, "beta1": 0.1}, "recall": {"beta1": 0.6, "lr": 0.4}})
    fd, recall = figure.axes
    assert [patch.get_width() for patch in fd.patches] == [0.9, 0.1]
    assert [label.get_text() for label in recall.get_yticklabels()] == ["beta1", "lr"]
    assert [text.get_text() for text in fd.texts] == ["0.90", "0.10"]
    assert fd.get_xlim() == (0, 1)


def test_the_front_is_a_line_in_the_order_of_the_first_objective():
    scores = [Scores("fd", np.array([3.0, 1.0, 2.0, 4.0])), Scores("agreement", np.array([0.9, 0.2, 0.1, 0.5]), True)]
    figure = front_figure(scores, np.array([True, True, False, False]))
    (axes,) = figure.axes
    (line,) = axes.lines
    assert line.get_xydata().tolist() == [[1.0, 0.2], [3.0, 0.9]]
    assert points(axes, "other trials") == [[2.0, 0.1], [4.0, 0.5]]
    assert [text.get_text() for text in axes.texts] == ["1", "0"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("fd ↓", "agreement ↑")


@pytest.mark.parametrize(("count", "panels"), [(2, 1), (3, 3)])
def test_every_pair_of_objectives_has_a_panel(count, panels):
    scores = [Scores(f"score {n}", np.arange(3.0)) for n in range(count)]
    figure = front_figure(scores, np.array([True, False, False]))
    assert sum(axes.axison for axes in figure.axes) == panels
    assert figure.axes[0].lines[0].get_linestyle() == ("-" if count == 2 else "None")
