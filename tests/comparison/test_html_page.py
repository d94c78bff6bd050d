import re

import numpy as np
import pytest
from PIL import Image

from fmcgan.comparison.comparison import compare
from fmcgan.comparison.results import gather
from fmcgan.comparison.statistics import best_two, winner
from fmcgan.figure.files import write_png

pytestmark = pytest.mark.train  # composes or draws for seconds


def scores(**values):
    """Of a result: fd is better when lower, agreement when higher, density near 1; all from 100 images."""
    about = {"fd": ("lower", 0.5), "agreement": ("higher", 0.9), "density": ("real", 1.0)}
    return {
        name: {"value": value, "better": about[name][0], "floor": about[name][1], "n": 100, "interval": None}
        for name, value in values.items()
    }


@pytest.fixture
def runs(write_run, tmp_path):
    """Recipe a is surely the best by fd, b by density; by agreement their seeds differ in sign."""
    of_a = [(5.0, 0.80, 1.30), (5.2, 0.70, 1.32), (5.1, 0.79, 1.31)]
    of_b = [(9.0, 0.75, 0.90), (9.3, 0.76, 0.91), (9.1, 0.77, 0.92)]
    for name, recipe in (("a", of_a), ("b", of_b)):
        for seed, (fd, agreement, density) in enumerate(recipe):
            found = scores(fd=fd, agreement=agreement, density=density)
            found["fd"]["interval"] = [fd - 1, fd + 1]
            options = {"seed": seed, "scores": found, "sample": 90}
            write_run(f"{name}{seed}", [f"loss=<{name}>", f"seed={seed}"], [(900, 50.0, fd)], (1000, fd), **options)
    write_run("late", ["loss=<b>", "seed=7"], [(300, 10.0, 30.0)], seed=7)
    return tmp_path / "runs"


@pytest.fixture
def reader(runs, tmp_path, read_page):
    compare([runs], tmp_path / "out")
    return read_page(tmp_path / "out" / "comparison.html")


def rows(reader, after, until):
    """The text between two texts of the page."""
    return reader.shown.split(after, 1)[1].split(until, 1)[0]


def best_pairs(runs):
    table = gather([runs]).end
    return {name: best_two(table, name) for name in table.metrics}


def test_winners(runs):
    found = best_pairs(runs)
    assert winner(found["fd"]) == 0
    assert winner(found["density"]) == 1  # 0.1 from 1 on average, a is 0.3 from it
    assert winner(found["agreement"]) is None  # -0.05, +0.06, -0.02: the mean -0.003 lies well within
    assert found["agreement"].first == 0  # 0.7633 against 0.76
    assert found["fd"].difference.mean == pytest.approx((5.0 - 9.0 + 5.2 - 9.3 + 5.1 - 9.1) / 3)


def test_who_wins_on_what(reader):
    head = " ".join(rows(reader, "Who wins on what", "How to read").split())
    assert "At the end A wins 1 B wins 1 1 tie" in head
    assert "fd ↓ A wins A wins A wins" in head
    assert "density → real B wins B wins B wins" in head
    assert "agreement ↑ tie A B tie A B tie A B" in head


def test_one_seed_wins_nothing(write_run, tmp_path, read_page):
    for name, fd in (("a", 1.0), ("b", 100.0)):
        write_run(name, [f"loss={name}", "seed=0"], [], (1000, fd))
    compare([tmp_path / "runs"], tmp_path / "out")
    shown = read_page(tmp_path / "out" / "comparison.html").shown
    assert "1 not tested" in shown
    assert "A ahead, not tested" in " ".join(shown.split())
    assert "no clear winner: one pair only: no test" in shown


def test_the_best_mean_does_not_win_where_its_seeds_lose(write_run, tmp_path):
    values = {"a": {0: 1.0, 1: 9.0, 2: 9.2}, "b": {1: 8.0, 2: 8.1}}  # a has the lower mean, by the seed that b lacks
    for name, by_seed in values.items():
        for seed, fd in by_seed.items():
            write_run(f"{name}{seed}", [f"loss={name}", f"seed={seed}"], [], (1000, fd), seed=seed)
    found = best_pairs(tmp_path / "runs")["fd"]
    assert (found.first, found.ahead, found.is_significant) == (0, 1, True)
    assert winner(found) is None


def test_one_group_has_no_winner(write_run, tmp_path, read_page):
    write_run("a", ["loss=a"], [], (1000, 1.0))
    compare([tmp_path / "runs"], tmp_path / "out")
    shown = read_page(tmp_path / "out" / "comparison.html").shown
    assert "Comparison of 1 run in 1 group" in shown
    assert "Who wins" not in shown


def test_tables(reader):
    assert "loss=<a> 0.7633 ± 0.0551 1.310 ± 0.010 5.100 ± 0.100 1,000 1.000 ± 0.000" in reader.shown
    assert "real data 0.9000 1.000 0.5000 — — —" in reader.shown
    # 1.310 ± 0.010 of three seeds: half the interval is 4.303 * 0.010 / sqrt(3)
    assert "density → real A: loss=<a> 3 1.310 1.285 1.335 1.000" in reader.shown
    assert "b2 B: loss=<b> 2 finished 1,000 1.00 0.7700 0.9200 9.100 [8.100, 10.100]" in reader.shown
    assert "late — 7 not finished 300 0.17" in reader.shown


def test_the_page_is_one_file_with_all_figures(reader):
    assert len(reader.values("src")) == 2  # the samples of two groups
    assert len(reader.values("role", "svg")) == 10  # curves of three metrics, losses and norms
    assert all(address.startswith("data:image/webp") for address in reader.values("src"))
    assert {address for address in reader.values("href") if not address.startswith("#")} == {"data:,"}
    ids = reader.values("id")
    assert len(set(ids)) == len(ids)
    assert {address[1:] for address in reader.values("href") if address != "data:,"} <= set(ids)


def test_warnings(reader, write_run, tmp_path, read_page):
    assert "Failed or unfinished runs. Left out: late." in reader.shown
    assert "hardware cpu (6 runs)" in reader.shown
    write_run("again", ["loss=<a>", "seed=0"], [], (1000, 5.0), scores=scores(fd=5.0), hardware="gpu")
    compare([tmp_path / "runs"], tmp_path / "again")
    shown = read_page(tmp_path / "again" / "comparison.html").shown
    assert "The runs used cpu and gpu: their minutes cannot be compared." in shown
    assert "loss=<a> has seed 0 more than once" in shown


def colour(text):
    """Red, green and blue of ``rgb(...)``, 0..1."""
    return np.array([float(part) / 255 for part in re.findall(r"[\d.]+", text)[:3]])


def contrast(one, other):
    """Of WCAG 2.2, 1 to 21."""
    light, dark = sorted(
        (
            float(np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])
            for rgb in map(colour, (one, other))
        ),
        reverse=True,
    )
    return (light + 0.05) / (dark + 0.05)


_TEXTS = """
    const ground = (each) => {
        for (; each; each = each.parentElement) {
            const found = getComputedStyle(each).backgroundColor
            if (!/^rgba.*, 0\\)$/.test(found)) return found
        }
    }
    const shown = [...document.querySelectorAll('#groups *, #winners *, #caveats *')].filter(
        each => each.offsetHeight && [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
    return shown.map(each => [each.innerText, getComputedStyle(each).color, ground(each)])
"""


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_its_head_is_legible_on_a_phone_by_day_and_night(runs, tmp_path, chromium, theme):
    compare([runs], tmp_path / "out")
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    scheme = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    try:
        chromium.get((tmp_path / "out" / "comparison.html").as_uri())
        assert chromium.execute_script("return document.documentElement.scrollWidth") <= phone["width"]
        fits = "return [...document.querySelectorAll('#winners .scroll')].every(e => e.scrollWidth <= e.clientWidth)"
        assert chromium.execute_script(fits)
        warnings = chromium.find_element("id", "caveats")
        assert warnings.get_attribute("open") is None
        warnings.find_element("css selector", "summary").click()
        texts = chromium.execute_script(_TEXTS)
        assert {"A wins", "tie B", "1 tie"} & {text for text, _, _ in texts}
        assert [each for each in texts if contrast(*each[1:]) < 4.5] == []
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_group_has_one_colour_throughout(reader, runs):
    """At its samples, in the strip and in the tables: that of its curves."""
    styles = [attributes.get("style", "") for _, attributes in reader.tags]
    used = {found.group() for style in styles for found in re.finditer(r"--chart-series-\d", style)}
    assert used == {"--chart-series-1", "--chart-series-2"}


def test_real_images_stand_beside_the_samples(runs, tmp_path, read_page):
    for tag in ("without", "with"):
        if tag == "with":
            write_png(Image.new("L", (300, 200), 7), runs / "b1" / "real.png")
        compare([runs], tmp_path / tag)
        reader = read_page(tmp_path / tag / "comparison.html")
        assert len(reader.values("src")) == (3 if tag == "with" else 2)
        assert ("no grid of real images" in reader.shown) == (tag == "without")
