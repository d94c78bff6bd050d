import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from fmcgan.figure.violins import Violins, heat_map, violins_figure
from fmcgan.figure.palette import GENERATED, REAL


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def table(values, **options) -> Figure:
    shape = np.shape(values)
    names = {"row_names": [f"r{n}" for n in range(shape[0])], "column_names": [f"c{n}" for n in range(shape[1])]}
    return heat_map(values, **(names | {"title": "t", "legend": "l", "limit": 1.0} | options))


def cells(figure: Figure) -> np.ndarray:
    return np.asarray(figure.axes[0].images[0].get_array())[..., :3]


def test_every_cell_says_its_number():
    figure = table([[0.5, -0.25], [np.nan, 0.0]])
    assert texts(figure) == ["+0.50", "\u22120.25", "0.00"]  # no number in a cell that has none
    assert texts(table([[0.004, -0.004, 12.0]], form="{:+.0f} %")) == ["0 %", "0 %", "+12 %"]


def test_more_is_red_less_is_blue_and_none_is_white():
    more, less, none, unknown = cells(table([[0.7, -0.7, 0.0, np.nan]]))[0]
    assert more[0] > more[2] + 0.3
    assert less[2] > less[0] + 0.3
    assert none == pytest.approx(np.ones(3), abs=0.05)
    assert np.ptp(unknown) == 0
    assert unknown[0] < 0.95


def test_colours_end_at_the_limit():
    figure = table([[1.0, 5.0, 0.5]])
    first, second, third = cells(figure)[0]
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)
    wider = cells(table([[1.0, 5.0, 0.5]], limit=2.0))[0]
    assert np.array_equal(wider[0], third)


def test_faint_cells_are_pale_and_thin():
    figure = table([[0.9, 0.9]], faint=[[True, False]])
    pale, strong = cells(figure)[0]
    assert pale.min() > 0.75 > strong.min()
    assert [text.get_fontweight() for text in figure.axes[0].texts] == ["normal", "bold"]


@pytest.mark.parametrize("options", [{"row_names": ["r"]}, {"column_names": ["c"]}, {"faint": [[True, True]]}])
def test_names_and_faint_must_fit_the_table(options):
    with pytest.raises(ValueError, match="must be"):
        table(np.zeros((2, 2)), **options)


def test_a_limit_must_be_positive():
    with pytest.raises(ValueError, match="limit"):
        table(np.zeros((2, 2)), limit=0)


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
