"""The linked map as a browser shows it: by pointer, touch and keyboard. Needs Chromium, its driver and selenium."""

import math

import numpy as np
import pytest

from fmcgan.report.analysis_page import write_analysis

pytestmark = pytest.mark.browser

PHONE = 390
ARROWS = {"\ue012": (-1, 0), "\ue013": (0, 1), "\ue014": (1, 0), "\ue015": (0, -1)}  # left, up, right, down; y upwards
PAGE_UP, PAGE_DOWN, ESCAPE = "\ue00e", "\ue00f", "\ue00c"
CONFUSED = [5, 13, 21, 29, 37]  # trousers that are classified as dresses


@pytest.fixture(scope="module")
def address(small_report, tmp_path_factory):
    return write_analysis(tmp_path_factory.mktemp("report"), small_report).as_uri()


@pytest.fixture
def points(small_report):
    return small_report.sections["second"].maps[0]


@pytest.fixture
def page(look, address):
    """The page on a desktop in daylight, with its map in view."""
    return opened(look(address, color_scheme="light", reduced_motion="reduce"))


def opened(page):
    plot(page).location_once_scrolled_into_view  # noqa: B018 (scrolls)
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot(page))
    wait(page, "return document.querySelector('#second-m0 [data-index]').hasAttribute('transform')")
    return page


def wait(page, condition):
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(page, 30).until(lambda driver: driver.execute_script(condition))


def plot(page, place=0):
    return page.find_element("css selector", f"#second-m{place} .plot")


def marks(page, place=0):
    """Position of each point from the corner of its map in pixels, whether it is drawn, and whether it is not faint."""
    script = """
        const marks = [...document.querySelectorAll(`#second-m${arguments[0]} [data-index]`)]
        marks.sort((one, other) => one.dataset.index - other.dataset.index)
        return marks.map(each => {
            const style = getComputedStyle(each), { e, f } = each.transform.baseVal[0].matrix
            return [e, f, style.display !== "none", style.opacity === "1"]
        })
    """
    return page.execute_script(script, place)


def positions(page, place=0):
    return np.array([each[:2] for each in marks(page, place)])


def drawn(page):
    return [index for index, each in enumerate(marks(page)) if each[2]]


def bright(page):
    return [index for index, each in enumerate(marks(page)) if each[2] and each[3]]


def chosen(page, place=0):
    """The index of the point in the ring, or None."""
    script = """
        const ring = document.querySelector(`#second-m${arguments[0]} .ring:not(.thin)`)
        if (!ring.checkVisibility()) return null
        const { e, f } = ring.transform.baseVal[0].matrix
        return [e, f]
    """
    ring = page.execute_script(script, place)
    if ring is None:
        return None
    return int(np.abs(positions(page, place) - ring).sum(axis=1).argmin())


def about(page):
    return page.find_element("css selector", "#second-map .about").text.split("\n")


def pictures(page):
    """The pixels of the canvases, [N, H, W, 4]."""
    wait(page, "return [...document.querySelectorAll('#second-map canvas')].every(each => 'drawn' in each.dataset)")
    script = """
        return [...document.querySelectorAll("#second-map canvas")].map(each =>
            [...each.getContext("2d").getImageData(0, 0, each.width, each.height).data])
    """
    return np.array(page.execute_script(script)).reshape(-1, 28, 28, 4)


def inside(page, index):
    """Where a point is in the window."""
    box = page.execute_script("const b = arguments[0].getBoundingClientRect(); return [b.x, b.y]", plot(page))
    border = page.execute_script("return arguments[0].clientLeft", plot(page))
    return [start + border + at for start, at in zip(box, marks(page)[index][:2], strict=True)]


def mouse(page, index, click=True):
    x, y = inside(page, index)
    for kind in ("mouseMoved", *(("mousePressed", "mouseReleased") if click else ())):
        event = {"type": kind, "x": x, "y": y, "button": "none" if kind == "mouseMoved" else "left", "clickCount": 1}
        page.execute_cdp_cmd("Input.dispatchMouseEvent", event)


def alone(page, least=30.0):
    """Points without another one nearby."""
    at = positions(page)
    apart = np.linalg.norm(at[:, None] - at, axis=2) + 1e9 * np.eye(len(at))
    return np.flatnonzero(apart.min(axis=1) > least).tolist()


def test_both_axes_have_one_scale_and_hold_all_points(page, points):
    at, given = positions(page), points.positions * [1, -1]  # y is downwards on a page
    scale = (np.ptp(at, axis=0) / np.ptp(given, axis=0)).tolist()
    assert scale[0] == pytest.approx(scale[1], rel=1e-3)
    np.testing.assert_allclose(at - at[0], scale[0] * (given - given[0]), atol=0.1)
    size = page.execute_script("return [arguments[0].clientWidth, arguments[0].clientHeight]", plot(page))
    assert (at > 0).all()
    assert (at < size).all()


def test_hidden_classes_leave_the_axes(page):
    before = positions(page)
    page.find_element("css selector", "#second-map [data-label='1']").click()
    assert drawn(page) == [index for index in range(40) if index % 4 != 1]
    page.find_element("css selector", "#second-map [data-origin='real']").click()
    assert drawn(page) == [index for index in range(40) if index % 4 == 3]
    np.testing.assert_array_equal(positions(page), before)
    page.find_element("css selector", "#second-map .everything").click()
    assert drawn(page) == list(range(40))
    np.testing.assert_array_equal(positions(page), before)


def test_a_point_shows_its_image_its_nearest_training_images_and_the_difference(page, points):
    assert about(page) == ["No point is chosen."]
    index = next(each for each in alone(page) if each in CONFUSED)
    mouse(page, index)
    assert chosen(page) == index
    near = points.nearest
    trained = [points.names[near.labels[each]] for each in near.index[index]]
    assert about(page) == [
        "Generated, conditioned on trouser.",
        f"Classified as dress ({points.confidence[index]:.2f}).",
        f"Nearest training image: {trained[0]}, {near.distance[index, 0]:.1f} <levels> away.",
    ]
    own, training = points.images[index], near.images[near.index[index]]
    difference = np.abs(own.astype(int) - training[0])
    found = pictures(page)
    assert (found[..., 3] == 255).all()
    for channel in range(3):
        np.testing.assert_array_equal(found[..., channel], [own, training[0], difference, training[1], training[2]])
    words = [each.text for each in page.find_elements("css selector", "#second-map figcaption")]
    assert words[0] == "this image"
    assert words[1] == f"nearest training image: {trained[0]}, {near.distance[index, 0]:.1f}"
    canvases = page.find_elements("css selector", "#second-map canvas")
    names = [each.get_attribute("aria-label") for each in canvases]
    assert names[:2] == ["generated: trouser", f"training image: {trained[0]}"]


def test_a_point_under_the_pointer_is_shown_until_the_pointer_leaves(page, points):
    kept, over = [each for each in alone(page, 50) if points.labels[each] in (0, 3)][:2]
    mouse(page, kept)
    words = about(page)
    mouse(page, over, click=False)
    assert chosen(page) == kept
    np.testing.assert_array_equal(pictures(page)[0, ..., 0], points.images[over])
    live = "return document.querySelector('#second-map .about').ariaLive"
    assert page.execute_script(live) == "off"  # a moving pointer must not talk
    page.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 2, "y": 450})
    assert about(page) == words
    np.testing.assert_array_equal(pictures(page)[0, ..., 0], points.images[kept])


def test_a_tap_on_a_phone_chooses_a_point(look, address):
    page = opened(look(address, PHONE, color_scheme="dark", reduced_motion="reduce"))
    root = "document.documentElement"
    for details in page.find_elements("css selector", "details"):
        page.execute_script("arguments[0].open = true", details)
    assert page.execute_script(f"return [{root}.scrollWidth, {root}.clientWidth]") == [PHONE, PHONE]
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot(page))
    index = alone(page, 20)[0]
    x, y = inside(page, index)
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    at = [{"x": x + 5, "y": y + 5}]  # a finger is no needle
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at})
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wait(page, "return !document.querySelector('#second-map .images').hidden")
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    assert chosen(page) == index
    assert page.execute_script(f"return {root}.scrollWidth") == PHONE


def test_a_finger_scrolls_the_page_unless_the_map_is_enlarged(page):
    action = "return getComputedStyle(document.querySelector('#second-m0 .plot')).touchAction"
    assert page.execute_script(action) == "auto"
    page.find_element("css selector", "#second-map [aria-label='Zoom in']").click()
    assert page.execute_script(action) == "none"


def ahead(at, index, direction, among):
    """The nearest of some points within 45 degrees of a direction, those ahead before those beside; None: no one."""
    offset = (at - at[index]) * [1, -1]
    along, across = offset @ direction, np.abs(offset @ direction[::-1])
    cost = [math.hypot(a, 2 * b) if a > 0 and b <= a else math.inf for a, b in zip(along, across, strict=True)]
    best = min(among, key=cost.__getitem__)
    return best if cost[best] < math.inf else None


def test_arrow_keys_go_from_point_to_point(page, points):
    at = points.positions * [1, -1]
    element = plot(page)
    element.send_keys(PAGE_DOWN)
    assert chosen(page) == 0
    now, moves = 0, 0
    for key in "\ue014\ue013\ue013\ue012\ue012\ue015\ue014\ue014":
        element.send_keys(key)
        following = ahead(at, now, np.array(ARROWS[key]), range(40))
        moves += following is not None
        now = now if following is None else following
        assert chosen(page) == now
    assert moves > 3
    assert about(page)[0].endswith(f"{points.names[points.labels[now]]}.")
    assert page.execute_script("return document.querySelector('#second-map .about').ariaLive") == "polite"
    element.send_keys(ESCAPE)
    assert chosen(page) is None
    assert about(page) == ["No point is chosen."]


def test_every_point_is_reached_by_keyboard_and_focus_is_visible(page):
    page.find_element("css selector", "#second-m0-tab").send_keys("\ue004")  # the Tab key
    page.execute_script("document.querySelector('#second-map .everything').focus()")
    from selenium.webdriver import ActionChains

    ActionChains(page).send_keys("\ue004").perform()
    assert page.switch_to.active_element == plot(page)
    assert page.execute_script("return getComputedStyle(arguments[0]).outlineStyle", plot(page)) == "solid"
    reached = []
    for _ in range(40):
        plot(page).send_keys(PAGE_DOWN)
        reached.append(chosen(page))
    assert reached == list(range(40))
    plot(page).send_keys(PAGE_UP)
    assert chosen(page) == 38
    page.find_element("css selector", "#second-map [data-step='1']").click()
    assert chosen(page) == 39


def follow(page, finding):
    """Clicks the link of a finding to the map."""
    link = page.find_element("css selector", f"#finding-{finding} [data-filter]")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)  # not below the bar
    link.click()


def test_a_finding_filters_the_map(page):
    before = positions(page)
    page.find_element("css selector", "#second-map [data-label='1']").click()
    follow(page, 3)
    assert page.current_url.endswith("#second-map")
    assert bright(page) == CONFUSED  # also a class that was hidden
    assert drawn(page) == list(range(40))
    message = page.find_element("css selector", "#second-map .filter")
    assert message.text.startswith("Only trouser classified as dress: 5 generated, 0 real.")
    assert message.get_attribute("role") == "status"
    np.testing.assert_array_equal(positions(page), before)
    plot(page).send_keys(PAGE_DOWN, PAGE_DOWN)
    assert chosen(page) == CONFUSED[1]  # others are passed over
    message.find_element("css selector", "button").click()
    assert bright(page) == list(range(40))
    assert message.text == ""
    assert page.switch_to.active_element == plot(page)
    follow(page, 1)  # bags, none of which is on the map
    assert bright(page) == []
    assert message.text.startswith("Only bag: 0 generated, 0 real.")
    assert chosen(page) is None


def test_a_cell_of_the_confusion_matrix_filters_the_map(page):
    page.execute_script("document.querySelector('#second-matrix').open = true")
    cells = page.find_elements("css selector", "#second-matrix button")
    assert [each.text for each in cells] == ["5", "5", "10"]
    assert [each.get_attribute("data-filter") for each in cells] == ["1:1", "1:3", "3:3"]
    cells[1].send_keys("\ue007")  # the Enter key
    assert bright(page) == CONFUSED
    assert [each.get_attribute("aria-pressed") for each in cells] == ["false", "true", "false"]
    assert cells[1].get_attribute("aria-label") == "5 trouser classified as dress"
    cells[2].click()
    assert bright(page) == [index for index in range(40) if index % 4 == 3]
    cells[2].click()  # again: off
    assert bright(page) == list(range(40))


def test_zoom_enlarges_distances_and_the_whole_map_returns(page):
    before = positions(page)
    index = alone(page)[0]
    mouse(page, index)
    plot(page).send_keys("+")
    after = positions(page)
    np.testing.assert_allclose(after - after[index], 2 * (before - before[index]), atol=0.1)
    size = page.execute_script("return [arguments[0].clientWidth, arguments[0].clientHeight]", plot(page))
    np.testing.assert_allclose(after[index], np.array(size) / 2, atol=0.1)
    x, y = inside(page, index)
    for kind, moved in (("mousePressed", 0), ("mouseMoved", 40), ("mouseReleased", 40)):
        event = {"type": kind, "x": x + moved, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
        page.execute_cdp_cmd("Input.dispatchMouseEvent", event)
    np.testing.assert_allclose(positions(page), after + np.array([40, 0]), atol=0.1)
    assert chosen(page) == index  # a drag chooses nothing
    page.find_element("css selector", "#second-map [data-zoom='0']").click()
    np.testing.assert_allclose(positions(page), before, atol=0.02)


def test_a_choice_and_a_filter_hold_on_all_maps(page):
    index = alone(page)[0]
    mouse(page, index)
    page.find_element("css selector", "#second-m1-tab").click()
    wait(page, "return document.querySelector('#second-m1 [data-index]').hasAttribute('transform')")
    assert chosen(page, 1) == index
    page.find_element("css selector", "#second-map [data-origin='real']").click()
    assert [each[2] for each in marks(page, 1)] == [each % 2 == 1 for each in range(40)]


def test_the_map_follows_the_theme(look, address):
    ground = {}
    for scheme in ("light", "dark"):
        page = opened(look(address, color_scheme=scheme, reduced_motion="reduce"))
        shot = plot(page).screenshot_as_png
        ground[scheme] = corner(shot)
    assert ground["light"] > 240
    assert ground["dark"] < 60


def corner(png):
    """Mean level of the pixels near the upper left corner, inside the border."""
    import io

    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        return float(np.asarray(image.convert("L"))[8:12, 8:12].mean())
