import pytest

from fmcgan.figure.labelled_path import path_figure

NAMES = {"title": "t", "x_label": "across", "y_label": "up", "landmarks": {"real": (0.8, 0.7)}}


def test_points_lie_where_they_were_given_each_with_its_label():
    figure = path_figure(
        [0.2, 0.4, 0.1], [0.9, 0.5, 0.3], ["a", "b", "c"], y_band=([0.9, 0.4, 0.3], [0.9, 0.6, 0.3]), **NAMES
    )
    axes = figure.axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[0.2, 0.9], [0.4, 0.5], [0.1, 0.3]]  # in the order given
    assert {text.get_text(): text.xy for text in axes.texts} == {"a": (0.2, 0.9), "b": (0.4, 0.5), "c": (0.1, 0.3)}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("across", "up")


def test_landmarks_stand_alone_and_bands_at_their_points():
    band = [0.4], [0.6]
    figure = path_figure([0.1], [0.5], ["a"], y_band=band, **NAMES)
    (axes,) = figure.axes
    assert axes.lines[1].get_xydata().tolist() == [[0.8, 0.7]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["real"]
    assert axes.collections[0].get_segments()[0].tolist() == [[0.1, 0.4], [0.1, 0.6]]


def test_labels_of_close_points_do_not_cover_each_other():
    x, y = [0.1, 0.70, 0.71, 0.72, 0.73], [0.1, 0.6, 0.61, 0.60, 0.57]
    figure = path_figure(x, y, [f"point {number}" for number in range(5)], y_band=(y, y), **NAMES)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for at, a in enumerate(boxes) for b in boxes[:at])
    frame = figure.axes[0].get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 + 3 for box in boxes)


@pytest.mark.parametrize("given", [([1], [1, 2], ["a"]), ([1], [1], []), ([], [], [])])
def test_what_does_not_fit_is_refused(given):
    with pytest.raises(ValueError, match="x, y and labels must have one length"):
        path_figure(*given, y_band=((), ()), **NAMES)
