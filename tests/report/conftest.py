import io
import json
import math
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml

from fmcgan.data.garments import GARMENTS
from fmcgan.figure.files import write_png
from fmcgan.figure.grid import class_grid


@pytest.fixture
def write_run(tmp_path):
    """Writes a run folder with hand-made numbers below ``tmp_path / "runs"``."""
    return run_writer(tmp_path)


@pytest.fixture(scope="module")
def write_run_once(tmp_path_factory):
    """The same for all tests of a file."""
    return run_writer(tmp_path_factory.mktemp("once"))


def run_writer(above):
    def write(
        name,
        overrides,
        evaluations=(),
        final=None,
        seed=0,
        seconds=60.0,
        rows=(),
        hardware="cpu",
        sample=None,
        scores=None,
    ):
        """``evaluations``: (images seen, seconds, score fd); ``final``: (images seen, score fd), None: not finished.

        ``scores``: entries of the result in place of fd.
        """
        folder = above / "runs" / name
        (folder / ".hydra").mkdir(parents=True)
        (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(list(overrides)))
        (folder / ".hydra" / "config.yaml").write_text("seed: 99\n")
        (folder / "config.yaml").write_text(yaml.safe_dump({"seed": seed}))
        lines = [
            {"images_seen": n, "epoch": n / 1000, "seconds": s, "loss/generator": n / 100, "loss/discriminator": 0.5}
            | {"gradient_norm/generator": 2.0, "gradient_norm/discriminator": 4.0, "images_per_second": n / s}
            for n, s, _ in evaluations
        ]
        lines += [{"images_seen": n, "epoch": n / 1000, "seconds": s, "score/fd": fd} for n, s, fd in evaluations]
        lines = sorted([*lines, *rows], key=lambda row: row["images_seen"])
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if final:
            (folder / "result.json").write_text(json.dumps(result(seed, *final, seconds, hardware, scores)))
        if sample is not None:
            (folder / "samples").mkdir()
            images = np.full((2, 3, 28, 28), sample, dtype=np.uint8)
            write_png(class_grid(images, ["bag", "boot"]), folder / "samples" / "epoch_002.png")
            write_png(class_grid(255 - images, ["bag", "boot"]), folder / "samples" / "epoch_001.png")
        return folder

    return write


def result(seed, images_seen, fd, seconds, hardware, scores=None):
    return {
        "status": "finished",
        "seed": seed,
        "images_seen": images_seen,
        "epochs": images_seen / 1000,
        "training_seconds": seconds,
        "images_per_second": images_seen / seconds,
        "hardware": hardware,
        "parameters": {"generator": 10, "discriminator": 20},
        "scores": {"fd": {"value": fd, "floor": 1.5, "better": "lower", "n": 10000}} if scores is None else scores,
        "final": {
            "loss/generator": 1.0 + seed,
            "loss/discriminator": 0.5,
            "gradient_norm/generator": 2.0,
            "gradient_norm/discriminator": 4.0,
        },
        "command": "python -m fmcgan.train -m loss=a,b seed=0,1",
    }


@pytest.fixture(scope="session")
def small_report():
    """A report of everything a page can hold, with numbers and images made up; every text has something to escape."""
    from matplotlib.figure import Figure
    from PIL import Image

    from fmcgan.analysis.effect import Difference, Effect, Examples, Words
    from fmcgan.analysis.findings import adjust_effects, select_findings
    from fmcgan.analysis.section import Alarm, Column, Map, NearestImages, Picture, Section, Table
    from fmcgan.figure.curves import Panel, Series, curves_figure
    from fmcgan.figure.quiz import draw_quiz
    from fmcgan.report.analysis_page import Report

    rng = np.random.default_rng(0)
    figure = Figure(figsize=(5, 3))
    figure.subplots().plot([0, 1], [1, 0])
    curve = Series("generator", [0, 1, 2], [3.0, 1.0, 2.0])
    wide = curves_figure([Panel(f"<panel> {number}", "loss", [curve]) for number in (1, 2)])
    animation = io.BytesIO()
    frames = [Image.new("L", (30, 20), grey) for grey in (0, 255)]
    frames[0].save(animation, format="GIF", save_all=True, append_images=frames[1:])

    floor = Difference(0.05, 0.01, 0.5)
    shown = rng.integers(0, 256, (6, 28, 28), dtype=np.uint8)
    words = Words("bags", "are <b>wider</b>", "2")
    about = "A <wide> bag is wide.", words, lambda: Examples(shown, shown[:0], "<g>", "<r>")
    difference = Difference(-2.0, 0.1, 1e-9)
    effects = [
        Effect("first/bag/<w>", "Bags are <b>wider</b> & flatter.", difference, floor, (8,), "line", *about),
        Effect("second/tilt", "Boots lean.", Difference(1.0, 0.1, 1e-8), floor, (9,)),
        Effect("second/cell", "Trousers look like dresses.", Difference(0.9, 0.1, 1e-8), floor, (1, 3), predicted=3),
        Effect("second/nothing", "Nothing.", Difference(0.0, math.inf, 1.0), floor),
    ]
    images = rng.integers(0, 256, (40, 28, 28), dtype=np.uint8)
    about = {"images": images, "labels": np.arange(40) % 4, "generated": np.arange(40) % 2 == 1}
    about["names"] = GARMENTS.class_names
    about["predicted"] = np.where(np.arange(40) % 8 == 5, 3, about["labels"])  # five trousers look like dresses
    about["confidence"] = np.linspace(0.5, 0.89, 40)
    about["nearest"] = NearestImages(
        rng.integers(0, 256, (7, 28, 28), dtype=np.uint8),
        np.arange(7),
        (np.arange(40)[:, None] + np.arange(3)) % 7,
        np.arange(120.0).reshape(40, 3),
        "<levels>",
    )
    rows = [[f"row {place}", (7 * place) % 40, place / 7, place / 40] for place in range(40)]
    rows[3][2] = None
    columns = [Column("name", "Name"), Column("count", "Count", "whole"), Column("size", "Size", "number", 3)]
    first = Section(
        "First & foremost",
        "What <i>was</i> done.",
        pictures=[
            Picture("line", figure, "A <line>.", 'Falls from "1" to 0.'),
            Picture("wide", wide, "A wide one.", "Falls too.", lead=True),
            Picture("grid", Image.fromarray(images[0]), "One image.", "Noise."),
            Picture("moving", animation.getvalue(), "It blinks.", "Black, then white."),
            Picture("last", Image.fromarray(images[1]), "Another image.", "Noise too."),
        ],
        tables=[
            Table("many", "Many rows", [*columns, Column("part", "Part", "percent", 1)], rows, open=True),
            Table("few", "Few <rows>", columns[:2], [["a", 1], ["b", 12345]]),
        ],
        alarms=[Alarm("the discriminator wins", "It is right 99 % of the time.", "more than 95 %")],
        values={"area": np.float64(0.25), "unknown": math.nan},
    )
    points = rng.normal(size=(2, 40, 2))
    second = Section(
        "Second",
        "Maps.",
        maps=[Map(f"m{i}", f"Map {i}", "Near is alike.", points[i], **about) for i in range(2)],
        effects=effects,
    )
    return Report(
        title="Analysis of <samples>",
        subject="40 images & nothing else",
        sections={"first": first, "second": second, "scores": Section("Scores", "Numbers.", values=_scores())},
        findings=select_findings(adjust_effects(effects)),
        effects=adjust_effects(effects),
        samples=Image.fromarray(images[:10].reshape(2, 5, 28, 28).swapaxes(1, 2).reshape(56, 140)),
        provenance={"command": "python -m fmcgan.analyze <x>", "seed": "7"},
        facts={"run": "<outputs>"},
        quiz=draw_quiz(images[:10].reshape(2, 5, 28, 28), images[10:20].reshape(2, 5, 28, 28), ["<bag>", "boot"], 0),
    )


def _scores():
    def one(value, floor, better, interval=None):
        about = ("Fréchet distance", [0, None]) if better == "lower" else ("Label agreement", [0, 1])
        shown = {"title": about[0], "range": about[1], "summary": "What it is."}
        return {"value": value, "floor": floor, "better": better, "interval": interval, "n": 40, **shown}

    return {
        "fd_random_10k_test": one(9.0, 3.0, "lower"),
        "fd_classifier_10k_test": one(0.5, 0.025, "lower", [0.4, 0.6]),
        "label_agreement_classifier_10k": one(0.9, 0.931, "higher"),
        "note": "no score",
    }


@pytest.fixture
def look(chromium):
    """Opens a page with the given preferences; returns the browser."""

    def look(address, width=1280, **preferences):
        features = [
            {"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in preferences.items()
        ]
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        chromium.get(address)
        return chromium

    yield look
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


class Reader(HTMLParser):
    """Notes tags and attributes, and what stands as text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.open = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)

    def values(self, attribute, *tags):
        return [found[attribute] for tag, found in self.tags if attribute in found and (not tags or tag in tags)]

    @property
    def shown(self):
        return " ".join("".join(self.text).split())


@pytest.fixture
def read_page():
    """Reads an HTML page: its tags, their attributes and its text."""
    return lambda path: Reader(path.read_text(encoding="utf-8"))
