import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fmcgan.figure.clusters import (
    BAR_WIDTH,
    BETWEEN,
    HEAD,
    NAME_WIDTH,
    RATIOS,
    ClusterRow,
    Layout,
    clusters_picture,
    ratios_figure,
)
from fmcgan.figure.grid import MARGIN
from fmcgan.figure.palette import GENERATED, REAL

_, STEP, BLOCK_WIDTH, BLOCK_HEIGHT, _, _ = Layout.of(28)
LEFT = MARGIN + NAME_WIDTH
GENERATED_LEFT, BARS_LEFT = LEFT + BLOCK_WIDTH + BETWEEN, LEFT + 2 * (BLOCK_WIDTH + BETWEEN)


def images_row(number, count):
    return np.random.default_rng(number).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def row(number=1, mark="", real=3, generated=2, share=0.2, generated_share=0.1):
    def around(value):
        return value, value * 0.8, value * 1.2

    shares = around(share), around(share), around(generated_share)
    return ClusterRow(
        f"Cluster {number}",
        "darker, taller",
        mark,
        images_row(number, real),
        images_row(number + 50, generated),
        *shares,
    )


def coloured(picture, colour):
    wanted = np.array([round(255 * part) for part in to_rgb(colour)])
    return (np.abs(picture.astype(int) - wanted) < 2).all(axis=2)


def test_images_are_drawn_pixel_by_pixel_at_their_places():
    real, generated = images_row(1, 14), images_row(2, 7)
    shares = (0.2, 0.1, 0.3)
    rows = [ClusterRow("Style 1", "", "", real, generated, shares, shares, shares)] * 2
    picture = np.asarray(clusters_picture(rows, "Styles"))
    for style in (0, 1):
        top = HEAD + style * (BLOCK_HEIGHT + BETWEEN)
        for left, shown in ((LEFT, real[:12]), (GENERATED_LEFT, generated)):
            for place, image in enumerate(shown):
                y, x = top + place // 6 * STEP, left + place % 6 * STEP
                tile = picture[y : y + 56, x : x + 56]
                assert (tile == image.repeat(2, axis=0).repeat(2, axis=1)[:, :, None]).all()
        # No more than there are: behind the seventh generated image is paper.
        assert (picture[top + STEP : top + STEP + 56, GENERATED_LEFT + STEP : BARS_LEFT - 4] == 255).all()


def test_bars_are_as_long_as_their_shares():
    rows = [row_of_shares(0.4, 0.1), row_of_shares(0.2, 0.3)]
    picture = np.asarray(clusters_picture(rows, "Styles"))
    lengths = []
    for style in (0, 1):
        top = HEAD + style * (BLOCK_HEIGHT + BETWEEN)
        area = picture[top : top + BLOCK_HEIGHT, BARS_LEFT:]
        lengths += [coloured(area, colour).any(axis=0).sum() for colour in (REAL, GENERATED)]
    # The largest upper end, 0.5, is the whole length; a bar has one pixel more than its length.
    assert lengths == pytest.approx([1 + (BAR_WIDTH - 58) * share / 0.5 for share in (0.4, 0.1, 0.2, 0.3)], abs=2)


def row_of_shares(real, generated):
    def share(value):
        return value, value - 0.05, value + 0.1

    none = np.zeros((0, 28, 28), np.uint8)
    return ClusterRow("Style 1", "", "", none, none, share(real), share(real), share(generated))


def test_a_mark_is_seen_and_so_is_that_nothing_was_generated():
    plain, marked, without = (
        np.asarray(clusters_picture([each], "Styles")).astype(int)
        for each in (row(), row(mark="missing"), row(generated=0))
    )
    words = np.s_[HEAD : HEAD + BLOCK_HEIGHT, :LEFT]
    assert (plain[words] < 60).all(axis=2).sum() < 700 < (marked[words] < 60).all(axis=2).sum()
    block = np.s_[HEAD : HEAD + BLOCK_HEIGHT, GENERATED_LEFT : BARS_LEFT - BETWEEN]
    assert 20 < (without[block] < 200).all(axis=2).sum() < 400  # a word, no image


def test_the_overview_draws_each_ratio_where_it_is_and_those_beyond_at_the_edge():
    classes = {"bag": [row(1, share=0.2, generated_share=0.1), row(2, "over-produced", share=0.1, generated_share=0.2)]}
    classes["boot"] = [row(1, "missing", share=0.2, generated_share=0.0), row(2, share=0.02, generated_share=0.5)]
    axes = ratios_figure(classes).axes[0]
    dots = [line for line in axes.lines if line.get_marker() in ("o", "<", ">") and len(line.get_xdata()) == 1]
    assert [line.get_xdata()[0] for line in dots] == pytest.approx([0.5, 2, RATIOS[0], RATIOS[-1]])
    assert [line.get_marker() for line in dots] == ["o", "o", "<", ">"]
    new = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "|"]
    assert new == [1] * 4
    intervals = [
        line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2 and line.get_color() == GENERATED
    ]
    np.testing.assert_allclose(intervals[:2], [[0.4, 0.6], [1.6, 2.4]])
    named = [text.get_text() for text in axes.texts if text.get_text()[0].isdigit()]
    assert named == ["2 over-produced", "1 missing"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["bag", "boot"]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="at least one cluster"):
        clusters_picture([], "Styles")
    with pytest.raises(ValueError, match="at least one cluster"):
        ratios_figure({"bag": []})
    with pytest.raises(ValueError, match=r"real must be uint8 \[N, H, W\] or \[N, H, W, 3\], got float64"):
        ClusterRow("Style 1", "", "", np.zeros((1, 28, 28)), images_row(1, 1), *[(0.1, 0.1, 0.1)] * 3)


@pytest.mark.parametrize(("size", "scale"), [(16, 4), (32, 2), (64, 1)])
def test_colour_images_of_any_size_are_drawn_at_their_places(size, scale):
    images = np.random.default_rng(0).integers(0, 256, (7, size, size, 3), dtype=np.uint8)
    share = (0.2, 0.1, 0.3)
    row = ClusterRow("Cluster 1", "", "", images, images[:0], share, share, share)
    layout, picture = Layout.of(size), np.asarray(clusters_picture([row], "Clusters"))
    assert layout.step == scale * size + 2
    for place, image in enumerate(images):
        y, x = HEAD + place // 6 * layout.step, LEFT + place % 6 * layout.step
        large = image.repeat(scale, axis=0).repeat(scale, axis=1)
        np.testing.assert_array_equal(picture[y : y + scale * size, x : x + scale * size], large)
