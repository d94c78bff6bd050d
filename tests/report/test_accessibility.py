"""What WCAG 2.2 AA asks of every page, as far as a program finds it (tests/accessibility.js), and the film."""

from pathlib import Path

import pytest

from fmcgan.comparison.comparison import compare
from fmcgan.comparison.run_list import write_run_list
from fmcgan.probing.page import Page as ProbePage
from fmcgan.probing.page import write_page as write_probe
from fmcgan.ranking.page import write_board
from fmcgan.report.analysis_page import write_analysis
from fmcgan.report.home import write_home
from tests.probing.drawn import Brightness, probed, reader
from tests.ranking.drawn import drawn_board

pytestmark = pytest.mark.browser

CHECK = (Path(__file__).parents[1] / "accessibility.js").read_text(encoding="utf-8")
WIDTHS = {"desktop": 1280, "phone": 390}


def evaluated(value):
    about = {"better": "lower", "n": 100, "interval": [value - 0.1, value + 0.1], "floor": 0.5}
    return {"fd_100_test": {"value": value, "title": "Distance", **about}}


@pytest.fixture(scope="module")
def addresses(small_report, write_run_once, tmp_path_factory):
    """One of each kind of page that commands write."""
    for name in ("a", "b"):
        for seed in (0, 1):
            scores = evaluated(2.0 + seed + (name == "b"))
            rows = [(500, 5.0, 3.0), (1000, 10.0, 2.0)]
            options = {"seed": seed, "sample": 90, "scores": scores}
            run = write_run_once(f"{name}{seed}", [f"loss={name}", f"seed={seed}"], rows, (1000, 2.0), **options)
    output = tmp_path_factory.mktemp("pages")
    compare([run.parent], output / "comparison")
    write_board(output, drawn_board(), {"command": "leaderboard"})
    (output / "probe").mkdir()
    write_probe(output / "probe", ProbePage(probed(reader(Brightness())), "drawn bars", 6, {"command": "probe"}))
    pages = {
        "report": write_analysis(output / "report", small_report),
        "comparison": output / "comparison" / "comparison.html",
        "home": write_home(run),
        "leaderboard": output / "leaderboard.html",
        "probe": output / "probe" / "report.html",
        "runs": write_run_list(run.parent),
    }
    return {name: path.as_uri() for name, path in pages.items()}


@pytest.mark.parametrize("kind", ["report", "comparison", "home", "runs", "leaderboard", "probe"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_fault_is_found(addresses, look, kind, scheme, width):
    page = look(addresses[kind], WIDTHS[width], color_scheme=scheme, reduced_motion="reduce")
    page.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
    page.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    assert page.execute_script(CHECK) == []
    assert page.execute_script("return document.documentElement.scrollWidth") <= WIDTHS[width]


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("document.querySelector('main p').style.color = '#b0b0b0'", "contrast"),
        ("document.querySelector('input[type=range]').removeAttribute('aria-label')", "no name"),
        ("document.querySelector('img').removeAttribute('alt')", "no text for a picture"),
        ("document.querySelector('main').outerHTML = '<div></div>'", "not one main"),
        ("document.querySelector('h2').outerHTML = '<h4>deep</h4>'", "a heading skips a level"),
        ("document.querySelector('.controls button').style = 'height: 12px; padding: 0'", "a target of"),
        ("document.querySelector('#samples-title').id = 'scores-title'", "twice"),
    ],
)
def test_planted_faults_are_found(addresses, look, fault, found):
    page = look(addresses["home"], color_scheme="light", reduced_motion="reduce")
    page.execute_script(fault)
    assert any(each.startswith(found) or found in each for each in page.execute_script(CHECK))


STATE = """
    const film = document.querySelector(".film"), frames = [...film.querySelectorAll("img")]
    return [frames.findIndex((each) => each.offsetHeight), film.querySelector("button").textContent,
            Number(film.querySelector("input").value), frames.filter((each) => each.offsetHeight).length]
"""


@pytest.mark.parametrize("kind", ["home", "report"])
def test_a_film_is_still_where_less_motion_is_wanted(addresses, look, kind):
    page = look(addresses[kind], reduced_motion="reduce")
    page.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
    assert page.execute_script(STATE) == [1, "Play", 1, 1]
    page.execute_async_script("setTimeout(arguments[0], 1200)")
    assert page.execute_script(STATE) == [1, "Play", 1, 1]


def test_a_film_plays_pauses_and_follows_slider_and_keys(addresses, look):
    from selenium.webdriver.support.wait import WebDriverWait

    page = look(addresses["home"], reduced_motion="no-preference")
    assert page.execute_script(STATE)[1] == "Pause"
    WebDriverWait(page, 10).until(
        lambda driver: driver.execute_script(STATE)[0] == 0
    )  # after the last frame, the first
    button, slider = (page.find_element("css selector", f".film {name}") for name in ("button", "input"))
    button.send_keys("\ue00d")  # the space bar
    index, text, value, shown = page.execute_script(STATE)
    assert (text, shown) == ("Play", 1)
    assert index == value
    page.execute_async_script("setTimeout(arguments[0], 1200)")
    assert page.execute_script(STATE)[0] == index
    slider.send_keys("\ue011")  # Home
    assert page.execute_script(STATE)[:3] == [0, "Play", 0]
    assert slider.get_attribute("aria-valuetext") == "epoch 1"
    slider.send_keys("\ue014")  # the right arrow
    assert page.execute_script(STATE)[:3] == [1, "Play", 1]
    assert page.find_element("css selector", ".film output").text == "epoch 2"
