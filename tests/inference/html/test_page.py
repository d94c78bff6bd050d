"""A generator's page: whole in one file and, where there is Chromium, alive."""

import re
from pathlib import Path

import pytest
import torch
from markupsafe import escape

from fmcgan.app.errors import UserError
from fmcgan.app.escaping import visible
from fmcgan.data.garments import GARMENTS
from fmcgan.data.info import DatasetInfo
from fmcgan.inference.html.page import render_page, write_page
from fmcgan.inference.html.program import trace_program
from fmcgan.training.truncation import BEST, LOWEST, TruncatedGenerator
from tests.hostile import PAYLOADS

ACCESSIBILITY = (Path(__file__).parents[2] / "accessibility.js").read_text(encoding="utf-8")
PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 3, "mobile": True}


@pytest.fixture(scope="module")
def program(small):
    return trace_program(small())


@pytest.fixture(scope="module")
def written(small, tmp_path_factory):
    """A generator, and a folder with its page in both precisions."""
    folder, network = tmp_path_factory.mktemp("pages"), small()
    for name, precision in (("full", "float32"), ("half", "float16")):
        write_page(folder / f"{name}.html", network, GARMENTS, {"images_seen": 1}, precision)
    return folder, network


def test_all_is_in_the_file_and_nothing_breaks_out_of_it(program):
    score = {"value": 0.12345, "real": 0.025}
    about = {"command": "python </script><b>", "images_seen": 5_000, "scores": {"result.json": {"fd": score}}}
    page = render_page(program, GARMENTS, about)
    assert page.count("<script") == page.count("</script>") == 3
    assert "python &lt;/script&gt;&lt;b&gt;" in page
    assert "5,000" in page
    assert "0.1235 (real data 0.025)" in page
    assert all(f"<span>{name}</span>" in page for name in GARMENTS.class_names)
    assert not re.search(r"(src|href)=\"(?!data:|#)|url\(|@import|https?:", page)


def test_half_precision_halves_the_file_and_refuses_what_it_cannot_hold(written, tmp_path):
    folder, network = written
    full, half = (program_of_bytes(folder / name) for name in ("full.html", "half.html"))
    assert full == pytest.approx(2 * half, rel=1e-3)
    with torch.no_grad():
        network.to_image.bias.fill_(1e5)
    with pytest.raises(UserError, match="float16: p_generator_to_image_bias"):
        write_page(tmp_path / "half.html", network, GARMENTS, {"images_seen": 1}, "float16")


def program_of_bytes(path):
    return len(path.read_text(encoding="utf-8").partition('id="weights">')[2].partition("</script>")[0])


@pytest.fixture
def open_page(chromium, small, tmp_path):
    """Opens the page of a small generator in a browser; returns the generator."""

    def open_page(*overrides, info=GARMENTS):
        network = small(*overrides, info=info)
        write_page(tmp_path / "generator.html", network, info, {"images_seen": 1})
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        chromium.set_window_size(1280, 900)
        chromium.get_log("browser")  # of the test before
        chromium.get((tmp_path / "generator.html").as_uri())
        wait(chromium, "return document.getElementById('grid').dataset.done === 'all 0 1'")
        return network

    return open_page


@pytest.fixture
def page(chromium, open_page):
    """The page of a small generator in a browser, and the generator."""
    return chromium, open_page("network.generator.refine=true")


def wait(chromium, condition):
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(chromium, 60).until(lambda driver: driver.execute_script(condition))


def shown(chromium, row: int, column: int):
    script = (
        "return [...document.querySelectorAll('#grid canvas')[arguments[0]].getContext('2d')"
        ".getImageData(28 * arguments[1], 0, 28, 28).data].filter((_, i) => i % 4 === 0)"
    )
    return torch.tensor(chromium.execute_script(script, row, column))


def expected(chromium, network, seed: int, label: int, psi: float = 1.0):
    latent = torch.tensor(chromium.execute_script("return [...latentOf(arguments[0])]", seed))
    with torch.no_grad():
        image = TruncatedGenerator(network)(latent[None], torch.tensor([label]), torch.tensor(psi)).flatten()
    return (image + 1) * 127.5


def test_it_draws_what_is_asked_for(page):
    chromium, network = page
    for row, column in ((0, 0), (8, 3)):  # a column has one latent vector
        assert (shown(chromium, row, column) - expected(chromium, network, column, row)).abs().max() <= 1
    chromium.find_element("css selector", "input[value='5']").find_element("xpath", "..").click()
    wait(chromium, "return document.getElementById('grid').dataset.done === '5 0 1'")
    assert (shown(chromium, 2, 4) - expected(chromium, network, 24, 5)).abs().max() <= 1  # each its own
    chromium.find_element("id", "others").click()
    wait(chromium, "return document.getElementById('grid').dataset.done === '5 1 1'")
    assert (shown(chromium, 0, 0) - expected(chromium, network, 1000, 5)).abs().max() <= 1
    chromium.execute_script(
        "const slider = document.getElementById('truncation'); slider.value = 0.75;"
        "slider.dispatchEvent(new Event('input'))"
    )
    wait(chromium, "return document.getElementById('grid').dataset.done === '5 1 0.75'")
    assert (shown(chromium, 0, 0) - expected(chromium, network, 1000, 5, 0.75)).abs().max() <= 1
    assert "images a second in this browser" in chromium.find_element("id", "grid-caption").text
    assert [entry["message"] for entry in chromium.get_log("browser")] == []


def test_the_slider_offers_what_works_and_marks_the_best(page):
    chromium, _ = page
    slider = chromium.find_element("id", "truncation")
    assert [float(slider.get_attribute(name)) for name in ("min", "max", "value")] == [LOWEST, 1, 1]
    script = """
        const slider = document.getElementById('truncation').getBoundingClientRect()
        const mark = document.querySelector('.best').getBoundingClientRect()
        return [(mark.left + mark.right) / 2 - slider.left - 8, slider.width - 16]
    """  # the middle of the thumb reaches to 8 pixels from the ends
    place, width = chromium.execute_script(script)
    assert place == pytest.approx(width * (BEST - LOWEST) / (1 - LOWEST), abs=1.5)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_fault_of_accessibility_is_found(page, scheme):
    chromium, _ = page
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    found = chromium.execute_script(ACCESSIBILITY)
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert found == []


def test_the_way_leads_from_one_input_to_the_other(page):
    chromium, _ = page
    pixels = "return document.querySelectorAll('#row canvas')[1].toDataURL()"
    wait(chromium, "return document.getElementById('way-value').textContent === '0 %'")
    chromium.execute_script("return drawRow()")
    start = chromium.execute_script(pixels)
    chromium.find_element("id", "play").click()
    wait(chromium, "return document.getElementById('way-value').textContent === '100 %'")
    wait(chromium, "return document.getElementById('play').textContent === 'Play'")
    end = chromium.execute_script(pixels)
    assert start != end
    chromium.execute_script("ends += 1; document.getElementById('position').value = 0; return drawRow()")
    assert chromium.execute_script(pixels) == end  # the next way begins where this one ended
    chromium.find_element("id", "ends").click()
    wait(chromium, f"return document.querySelectorAll('#row canvas')[1].toDataURL() !== {end!r}")


def test_it_fits_a_phone(page):
    chromium, _ = page
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= PHONE["width"]
    narrow = (
        "return [...document.querySelectorAll('button, .controls label span')].filter(e => e.offsetHeight < 32).length"
    )
    assert chromium.execute_script(narrow) == 0


def test_what_is_known_of_a_generator_is_text(program):
    score = {"value": 0.5, "real": None}
    for text in PAYLOADS.values():
        page = render_page(program, GARMENTS, {"command": text, "images_seen": 1, "scores": {text: {text: score}}})
        assert page.count("<script") == page.count("</script>") == 3
        assert not re.search(r"<img|<svg|onerror=alert\(1\)>|\x1b|\u202e", page)
        assert escape(visible(text)) in page


def pixels(chromium, row: int, column: int, size: int):
    """The colours of an image on the page, [3, size, size]."""
    script = (
        "return [...document.querySelectorAll('#grid canvas')[arguments[0]].getContext('2d')"
        ".getImageData(arguments[2] * arguments[1], 0, arguments[2], arguments[2]).data]"
    )
    found = torch.tensor(chromium.execute_script(script, row, column, size)).view(size, size, 4)
    assert (found[..., 3] == 255).all()
    return found[..., :3].permute(2, 0, 1)


def test_it_draws_in_colour_and_class_names_are_text(chromium, open_page):
    names = ("stop", "<img src=x onerror=alert(1)>", "</script><b>", '" onclick="alert(1)', "Läufe 日本 💾")
    network = open_page(info=DatasetInfo("signs", names, 3, 32))
    for row, column in ((0, 0), (4, 7)):
        wanted = expected(chromium, network, column, row).view(3, 32, 32)
        assert (wanted[0] - wanted[2]).abs().max() > 20  # it is not grey
        assert (pixels(chromium, row, column, 32) - wanted).abs().max() <= 1
    shown = "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
    assert chromium.execute_script(shown, "fieldset span") == ["all 5", *names]
    assert chromium.execute_script(shown, "#grid span") == list(names)
    assert chromium.execute_script(shown, "#row figcaption") == list(names)
    assert chromium.execute_script("return document.querySelectorAll('img, b, [onclick]').length") == 0
    assert chromium.get_log("browser") == []
    chromium.find_element("css selector", "input[value='3']").find_element("xpath", "..").click()
    wait(chromium, "return document.getElementById('grid').dataset.done === '3 0 1'")
    assert (pixels(chromium, 9, 9, 32) - expected(chromium, network, 99, 3).view(3, 32, 32)).abs().max() <= 1


def test_many_classes_are_chosen_from_a_list(chromium, open_page):
    network = open_page(info=DatasetInfo("many", tuple(f"class {label}" for label in range(40)), 1, 16))
    assert chromium.execute_script("return document.querySelectorAll('#grid canvas').length") == 20
    assert chromium.execute_script("return document.querySelectorAll('#row canvas').length") == 20
    chromium.find_element("css selector", "option[value='33']").click()
    wait(chromium, "return document.getElementById('grid').dataset.done === '33 0 1'")
    shown = pixels(chromium, 1, 2, 16)
    assert (shown[0] - expected(chromium, network, 12, 33).view(16, 16)).abs().max() <= 1
    assert torch.equal(shown[0], shown[1])
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= PHONE["width"]
