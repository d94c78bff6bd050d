"""Figures of any number of classes, and of images of any size, grey and in colour."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from fmcgan.analysis.scores import class_panel
from fmcgan.figure.axes import TEXT
from fmcgan.figure.classes import MOST_CLASSES, most_telling, short_names, some_classes
from fmcgan.figure.confusions import agreement_figure, difference_figure
from fmcgan.figure.dots import DOTS_INCHES, ClassDots, class_dots_figure
from fmcgan.figure.files import read_png, write_png
from fmcgan.figure.grid import GAP, MARGIN, class_grid, magnification, side_by_side
from fmcgan.figure.heatmap import heatmap_figure
from fmcgan.figure.palette import CLASS_COLOURS, class_colours
from fmcgan.figure.timelapse import timelapse

NAMES = [f"class {label}" for label in range(26)]


def test_all_colours_differ_and_the_first_stay():
    assert tuple(class_colours(27)) == CLASS_COLOURS
    assert class_colours(3) == list(CLASS_COLOURS[:3])
    assert len(set(class_colours(1000))) == 1000
    assert class_colours(1000)[:40] == class_colours(40)


def test_the_most_telling_classes_are_chosen_in_the_order_of_labels():
    sizes = {5: 1.0, 2: 3.0, 9: float("nan"), 7: 2.0}
    assert most_telling(sizes, "with most", most=4) == ([2, 5, 7, 9], "")
    assert most_telling(sizes, "with most", most=2)[0] == [2, 7]
    assert "the 2 of 4 classes with most" in most_telling(sizes, "with most", most=2)[1]
    assert most_telling(sizes, "with most", most=3)[0] == [2, 5, 7]  # nan is least


def test_some_classes_are_spread_from_the_first_to_the_last():
    assert some_classes(range(20)) == (list(range(20)), "")
    assert some_classes(range(9), most=3)[0] == [0, 4, 8]
    chosen, note = some_classes(range(1000))
    assert (chosen[0], chosen[-1], len(set(chosen))) == (0, 999, MOST_CLASSES)
    assert "20 of 1000" in note


def test_long_names_are_cut_for_axes():
    assert short_names(["cat", "x" * 60]) == ["cat", "x" * 19 + "…"]


@pytest.mark.parametrize(("size", "scale"), [(16, 4), (28, 2), (32, 2), (64, 1)])
def test_small_images_are_magnified_more(size, scale):
    assert magnification(size) == scale
    picture = class_grid(np.zeros((2, 3, size, size), np.uint8), ["", ""])
    assert picture.height == 2 * (size * scale + GAP) - GAP + 2 * MARGIN


def test_colours_of_images_stay_in_grids_files_and_animations(tmp_path):
    images = np.zeros((2, 2, 32, 32, 3), np.uint8)
    images[1, 0] = 200, 100, 50
    grid = class_grid(images, ["", ""], scale=1)
    assert grid.mode == "RGB"
    corner = grid.width - MARGIN - 64 - GAP, MARGIN + 32 + GAP
    assert grid.getpixel(corner) == (200, 100, 50)
    write_png(grid, tmp_path / "a.png")
    assert read_png(tmp_path / "a.png").tobytes() == grid.tobytes()
    beside = side_by_side([("grey", Image.new("L", (60, 60), 7)), ("colour", grid)])
    assert (200, 100, 50) in {colour for _, colour in beside.getcolors()}
    film = Image.open(io.BytesIO(timelapse([grid, grid.rotate(180)])))
    frames = [frame.convert("RGB").getpixel(corner) for frame in ImageSequence.Iterator(film)]
    assert frames == [(200, 100, 50), (0, 0, 0)]


def rows_of(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


@pytest.mark.parametrize("classes", [2, 5, 20])
def test_confusions_show_all_of_up_to_twenty_classes(classes):
    names = NAMES[:classes]
    figure = agreement_figure(np.eye(classes, dtype=int), names=names)
    assert rows_of(figure) == names
    assert len(figure.axes[0].texts) == classes


def test_confusions_of_many_classes_show_the_worst():
    counts = 100 * np.eye(26, dtype=int)
    counts[3, 3], counts[3, 25] = 40, 60
    counts[8] = 0  # no samples: nothing to tell
    figure = agreement_figure(counts, names=NAMES)
    assert len(rows_of(figure)) == MOST_CLASSES
    assert "class 3" in rows_of(figure)
    assert "class 8" not in rows_of(figure)
    assert "20 of 26" in figure.axes[0].get_title(loc="left")
    real = 100 * np.eye(26, dtype=int)
    assert "class 3" in rows_of(difference_figure(counts, real, np.zeros((26, 26)), names=NAMES))


def test_rows_are_as_high_for_any_number_of_classes():
    heights = []
    for classes in (2, 10, 20):
        panel = ClassDots("t", [1.0] * classes, names=NAMES[:classes])
        heights.append(class_dots_figure([panel]).get_size_inches()[1])
    assert heights == pytest.approx([DOTS_INCHES[1] - 8 * 0.2, DOTS_INCHES[1], DOTS_INCHES[1] + 10 * 0.2])


@pytest.mark.parametrize(("better", "left_out"), [("lower", range(6)), ("higher", range(20, 26)), ("real", range(6))])
def test_of_many_classes_the_worst_have_dots(better, left_out):
    values = [float(label) for label in range(26)]
    result = {"better": better, "value": 0.0, "floor": 0.0, "by_class": values, "floor_by_class": [0.0] * 26}
    panel = class_panel("distance", result, names=NAMES)
    assert panel.names == [name for label, name in enumerate(NAMES) if label not in left_out]
    assert panel.values == [value for label, value in enumerate(values) if label not in left_out]
    assert len(panel.references["real data"]) == 20


def test_numbers_shrink_where_there_are_many_columns():
    sizes = []
    for columns in (15, 60):
        names = [str(column) for column in range(columns)]
        figure = heatmap_figure(np.ones((2, columns)), ["a", "b"], names, formats="+.1f", title="t", label="dB")
        sizes.append(figure.axes[0].texts[0].get_fontsize())
        assert figure.get_size_inches()[0] <= 11
    assert sizes[0] == TEXT
    assert TEXT / 2 <= sizes[1] < TEXT
