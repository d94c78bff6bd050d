import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from fmcgan.figure.palette import GENERATED, REAL
from fmcgan.figure.violins import Violins, violins_figure


def halves(figure: Figure) -> dict[tuple[float, ...], list[np.ndarray]]:
    """Corners of the half violins of the first panel, by colour."""
    found: dict[tuple[float, ...], list[np.ndarray]] = {}
    for body in figure.axes[0].collections:
        if len(body.get_facecolor()):
            found.setdefault(tuple(body.get_facecolor()[0][:3]), []).append(body.get_paths()[0].vertices)
    return found


def test_real_values_are_at_the_left_generated_ones_at_the_right():
    values = np.linspace(0, 1, 200)
    drawn = halves(violins_figure([Violins("t", "y", [values, values], [values + 5, values + 5])], ["a", "b"]))
    for place in (0, 1):
        real, generated = drawn[to_rgb(REAL)][place], drawn[to_rgb(GENERATED)][place]
        assert real[:, 0].max() == pytest.approx(place)
        assert generated[:, 0].min() == pytest.approx(place)
        assert 0 <= real[:, 1].min() < real[:, 1].max() <= 1
        assert 5 <= generated[:, 1].min() < generated[:, 1].max() <= 6


def test_a_single_value_far_out_does_not_flatten_the_others():
    values = np.append(np.linspace(0, 1, 1000), 1e6)
    (body,) = halves(violins_figure([Violins("t", "y", [values], [()])], ["a"]))[to_rgb(REAL)]
    assert body[:, 1].max() <= 1


def test_what_is_not_there_is_not_drawn():
    sets = [np.array([np.nan, np.inf]), np.full(20, 7.0), np.arange(10.0)]
    drawn = halves(violins_figure([Violins("t", "y", sets, [(), (), ()])], ["none", "same", "some"]))
    assert list(drawn) == [to_rgb(REAL)]
    assert [round(body[:, 0].max()) for body in drawn[to_rgb(REAL)]] == [1, 2]


def test_panels_names_and_legend_are_there():
    panel = Violins("t", "y", [np.arange(9.0)] * 2, [np.arange(9.0)] * 2)
    figure = violins_figure([panel] * 3, ["a", "b"])
    assert len([axes for axes in figure.axes if axes.axison]) == 3
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["a", "b"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["real", "generated"]
    content = io.BytesIO()
    figure.savefig(content, format="png")
    assert np.asarray(Image.open(content)).min() < 50


def test_other_panels_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        violins_figure([], ["a"])
    with pytest.raises(ValueError, match="must have 2 real and generated values, got 1 and 2"):
        violins_figure([Violins("t", "y", [()], [(), ()])], ["a", "b"])
