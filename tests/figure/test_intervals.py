import numpy as np

from fmcgan.figure.intervals import IntervalLine, IntervalPanel, intervals_figure

LINE = IntervalLine("one", [1.0, np.nan, 3.0], [0.5, np.nan, -1.0], [1.5, np.nan, 7.0], [True, True, False])
OTHER = IntervalLine("two", [2.0, 2.0, 2.0], [1.0, 1.0, 1.0], [3.0, 3.0, 3.0])


def markers(axes, face):
    """Heights of the markers, filled with their own colour or hollow."""
    lines = [each for each in axes.lines if each.get_marker() not in ("None", "")]
    return [
        y for each in lines if (each.get_markerfacecolor() == "white") == (face == "hollow") for y in each.get_ydata()
    ]


def test_an_interval_that_holds_0_has_a_hollow_marker():
    figure = intervals_figure([IntervalPanel("title", "points", [LINE], zero=True)], ["100", "500", "2,000"], "n")
    (axes,) = figure.axes
    assert [each for each in markers(axes, "filled") if np.isfinite(each)] == [1.0]
    assert markers(axes, "hollow") == [3.0]
    ends = [each[:, 1].tolist() for each in axes.collections[0].get_segments() if each.size]  # none for the gap
    assert ends == [[0.5, 1.5], [-1.0, 7.0]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["100", "500", "2,000"]


def test_lines_lie_beside_each_other_and_keep_their_colours():
    panels = [IntervalPanel("a", "points", [LINE, OTHER]), IntervalPanel("b", "points", [OTHER])]
    figure = intervals_figure(panels, ["1", "2", "3"], "n", order=["none of these", "two", "one"])
    first, second = figure.axes
    places = {tuple(np.round(each.get_xdata(), 2)) for each in first.lines if each.get_marker() in ("None", "")}
    assert places == {(-0.16, 0.84, 1.84), (0.16, 1.16, 2.16)}
    colours = {each.get_label(): each.get_color() for each in first.lines}
    assert {each.get_label(): each.get_color() for each in second.lines}["two"] == colours["two"] != colours["one"]
    assert sorted(text.get_text() for text in figure.legends[0].texts) == ["one", "two"]
    alone = intervals_figure(panels[1:], ["1", "2", "3"], "n", order=["none of these", "two", "one"])
    assert {each.get_label(): each.get_color() for each in alone.axes[0].lines}["two"] == colours["two"]


def test_a_line_that_is_hollow_everywhere_is_in_the_legend():
    hollow = IntervalLine("unsure", [1.0], [-1.0], [2.0], [False])
    figure = intervals_figure([IntervalPanel("a", "points", [hollow])], ["1"], "n")
    assert [text.get_text() for text in figure.legends[0].texts] == ["unsure"]


def test_means_of_names_are_not_joined():
    figure = intervals_figure([IntervalPanel("a", "points", [OTHER], joined=False)], ["shirt", "bag", "boot"], "class")
    assert all(each.get_marker() == "o" for each in figure.axes[0].lines)
