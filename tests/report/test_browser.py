"""The page as a browser sees it. Needs Chromium, its driver and selenium."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from fmcgan.report.analysis_page import write_analysis

PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 3, "mobile": True}


@pytest.fixture(scope="module")
def address(small_report, tmp_path_factory):
    return write_analysis(tmp_path_factory.mktemp("report"), small_report).as_uri()


@pytest.fixture
def page(chromium, address):
    """The page, opened on a desktop in daylight."""
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.set_window_size(1280, 900)
    for log in ("browser", "performance"):
        chromium.get_log(log)  # of the test before
    chromium.get(address)
    return chromium


def _wait(chromium, condition):
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(chromium, 30).until(lambda driver: driver.execute_script(condition))


def test_no_errors_and_no_network(page):
    assert [entry["message"] for entry in page.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]
    assert page.current_url in asked
    assert [url for url in asked if not url.startswith("data:") and url != page.current_url] == []


def _column(page, place):
    script = (
        "return [...document.querySelectorAll(`#first-many tbody td:nth-child(${arguments[0]})`)].map(c => c.innerText)"
    )
    return page.execute_script(script, place)


def test_a_click_on_a_heading_sorts(page):
    heads = page.find_elements("css selector", "#first-many th button")
    counts = [f"{count}" for count in sorted(7 * place % 40 for place in range(40))]
    heads[1].click()
    assert page.execute_script("return document.querySelectorAll('#first-many th')[1].ariaSort") == "ascending"
    shown = 30
    assert _column(page, 2)[:shown] == counts[:shown]
    heads[1].send_keys("\ue007")  # the Enter key
    assert _column(page, 2)[:shown] == counts[::-1][:shown]
    heads[0].click()
    assert _column(page, 1)[:3] == ["row 0", "row 1", "row 2"]
    heads[0].click()
    assert _column(page, 1)[:3] == ["row 39", "row 38", "row 37"]
    assert page.find_element("css selector", "#first-many th:nth-child(2)").get_attribute("aria-sort") is None


def test_what_is_not_known_is_sorted_to_the_end(page):
    head = page.find_elements("css selector", "#first-many th button")[2]
    page.find_element("css selector", "label[for=first-many-all]").click()
    for _ in range(2):
        head.click()
        assert _column(page, 3)[-1] == "—"
    assert _column(page, 3)[0] == "5.571"  # 39 / 7


def test_all_rows_are_shown_when_asked_for(page):
    visible = "return [...document.querySelectorAll('#first-many tbody tr')].filter(row => row.offsetHeight).length"
    assert page.execute_script(visible) == 30
    page.find_element("css selector", "label[for=first-many-all]").click()
    assert page.execute_script(visible) == 40


_ANSWERS = """
    const images = (selector) => [...document.querySelectorAll(`.quiz ${selector} img:not(.words)`)]
    const shown = (selector) => images(selector).map(each => each.offsetHeight > 0)
    return [shown(".question"), shown(".answers")]
"""


def test_the_real_images_are_revealed_by_keyboard_and_by_touch(page):
    """Without JavaScript: a check box hides and shows the pictures."""
    box = page.find_element("id", "reveal")
    assert page.execute_script(_ANSWERS) == [[True], [False]]
    box.send_keys(" ")
    assert page.execute_script(_ANSWERS) == [[False], [True]]
    label = page.find_element("css selector", "label[for=reveal]")
    at = page.execute_script("const b = arguments[0].getBoundingClientRect(); return [b.x + 5, b.y + 5]", label)
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    point = {"x": at[0], "y": at[1]}
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    _wait(page, "return !document.querySelector('#reveal').checked")
    assert page.execute_script(_ANSWERS) == [[True], [False]]


def test_the_bar_of_sections_stays_and_names_the_section_in_view(page):
    page.execute_script("document.documentElement.style.scrollBehavior = 'auto'")
    page.execute_script("document.querySelector('#contents a[href=\"#second\"]').click()")
    current = "return document.querySelector('#contents [aria-current]')?.getAttribute('href')"
    _wait(page, f"return (() => {{ {current} }})() === '#second'")
    tops = "return ['#contents', '#second'].map(each => document.querySelector(each).getBoundingClientRect())"
    bar, section = page.execute_script(tops)
    assert bar["top"] == 0
    assert section["top"] >= bar["bottom"]  # the heading is not below the bar


def test_tabs_change_the_map(page):
    heights = "return [0, 1].map(i => document.querySelector(`#second-m${i} .plot`).clientHeight)"
    assert page.execute_script(heights)[1] == 0
    first, second = page.find_elements("css selector", "[role=tab]")
    second.click()
    assert page.execute_script(heights)[0] == 0
    second.send_keys("\ue014")  # the right arrow goes round to the first
    assert first.get_attribute("aria-selected") == "true"
    assert page.execute_script(heights)[1] == 0


def test_a_link_opens_what_it_leads_to(page):
    visible = "return document.querySelector('#first-moving').checkVisibility()"
    assert not page.execute_script(visible)
    page.execute_script("location.hash = '#first-moving'")
    assert _wait(page, visible)
    page.execute_script("location.hash = ''")


def test_a_phone_scrolls_the_page_one_way_only(page):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    for details in page.find_elements("css selector", "details"):
        page.execute_script("arguments[0].open = true", details)
    _wait(page, "return innerWidth === 360")
    root = "document.documentElement"
    assert page.execute_script(f"return [{root}.scrollWidth, {root}.clientWidth]") == [360, 360]
    width = "return document.querySelector('#second-m0 .plot').clientWidth"
    assert _wait(page, width) < 360


def test_both_modes_are_legible(page):
    colours = """
        const of = (selector, what) => getComputedStyle(document.querySelector(selector))[what]
        const colours = ["body", "#first-grid .paper"].map((each) => [of(each, "backgroundColor"), of(each, "color")])
        return colours.flat()
    """
    light, dark = (_in(page, scheme, colours) for scheme in ("light", "dark"))
    assert light[2] == dark[2] == "rgb(255, 255, 255)"  # a picture that does not know its images keeps its paper
    assert _contrast(*light[:2]) > 7
    assert _contrast(*dark[:2]) > 7
    assert _contrast(*dark[2:]) > 4.5
    assert _luminance(light[0]) > 0.5 > 0.1 > _luminance(dark[0])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_picture_of_images_lies_on_the_page_with_legible_words(page, scheme):
    """As it is seen: its corner has the colour of the card, its images are their own, its words stand out."""
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    shown = page.find_element("css selector", ".question .layers")
    with Image.open(io.BytesIO(shown.screenshot_as_png)) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    card = pixels[1, 1]
    assert (card.max() < 60) == (scheme == "dark")
    words = pixels[:, 10:40]  # the names of the rows
    farthest = words.reshape(-1, 3)[np.abs(words - card).sum(axis=2).argmax()]
    assert _contrast(*(f"rgb({', '.join(map(str, colour))})" for colour in (card, farthest))) > 7


_CHART = """
    const found = [], backs = []
    for (const each of document.querySelectorAll("#first-wide .drawing *")) {
      const style = getComputedStyle(each)
      if (each.tagName === "text") found.push(style.fill)
      for (const colour of [style.fill, style.stroke])
        if (colour.startsWith("rgb(")) backs.push(colour)
    }
    let card = document.querySelector("#first-wide")
    while (getComputedStyle(card).backgroundColor === "rgba(0, 0, 0, 0)") card = card.parentElement
    return [getComputedStyle(card).backgroundColor, found, [...new Set(backs)]]
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_chart_follows_the_mode_without_a_white_rectangle(page, scheme):
    card, texts, colours = _in(page, scheme, _CHART)
    assert len(texts) > 10
    assert min(_contrast(card, text) for text in texts) >= 4.5
    if scheme == "dark":
        assert _luminance(card) < 0.05
        assert "rgb(255, 255, 255)" not in colours
    assert card not in colours  # nothing is filled with a background


def _phone(page):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**PHONE, "width": 390})
    _wait(page, "return innerWidth === 390")


def test_a_phone_shows_one_panel_a_row_with_legible_letters(page):
    boxes = "return [...document.querySelectorAll('#first-wide .drawing')].map(each => each.getBoundingClientRect())"
    first, second = page.execute_script(boxes)
    assert first["top"] == second["top"]  # a desktop shows them beside each other
    _phone(page)
    first, second = page.execute_script(boxes)
    assert second["top"] >= first["bottom"]
    for box in (first, second):
        assert 0 <= box["left"] <= box["right"] <= 390
    heights = """
        return [...document.querySelectorAll("#first-wide .drawing text")].map((text) => {
          const scale = text.ownerSVGElement.getBoundingClientRect().width / text.ownerSVGElement.viewBox.baseVal.width
          return scale * parseFloat(getComputedStyle(text).fontSize)
        })
    """
    assert min(page.execute_script(heights)) >= 11


_TIP = "const tip = document.querySelector('.tip'); return tip.hidden ? null : tip.textContent"
_MARK = """
    const box = document.querySelectorAll("#first-wide .tips circle")[arguments[0]].getBoundingClientRect()
    return [box.x + box.width / 2, box.y + box.height / 2]
"""


def _tap(page, x, y):
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_tap_on_a_point_shows_its_numbers_within_the_screen(page):
    _phone(page)
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    page.execute_script(
        "document.querySelector('#first-wide .drawing').scrollIntoView({block: 'center', behavior: 'instant'})"
    )
    for mark, text in ((0, "generator: 3 (0 training images seen)"), (2, "generator: 2 (2 training images seen)")):
        _tap(page, *page.execute_script(_MARK, mark))
        assert _wait(page, f"return (() => {{ {_TIP} }})() === {json.dumps(text)}")
        box = page.execute_script("return document.querySelector('.tip').getBoundingClientRect()")
        assert 0 <= box["left"] <= box["right"] <= 390
        assert page.execute_script("return document.documentElement.scrollWidth") == 390
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_the_keyboard_goes_from_point_to_point(page):
    drawing = page.find_element("css selector", "#first-wide .drawing")
    shown = []
    for key in ("\ue014", "\ue014", "\ue010", "\ue012", "\ue00c"):  # right, right, End, left, Escape
        drawing.send_keys(key)
        shown.append(page.execute_script(_TIP))
    assert [each and each.partition(" (")[0] for each in shown] == [
        "generator: 3",
        "generator: 1",
        "generator: 2",
        "generator: 1",
        None,
    ]
    assert page.find_element("css selector", ".tip").get_attribute("role") == "status"


def _in(page, scheme, script):
    """What a script returns if the reader prefers a colour scheme."""
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    found = page.execute_script(script)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    return found


def _luminance(colour):
    """Relative luminance of ``rgb(r, g, b)``, as the guidelines for accessible pages (WCAG 2.2) define it."""
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, other):
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)
