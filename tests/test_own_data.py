"""From one's own images to a trained generator, scores, an analysis, a comparison and a page, command by command."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fmcgan.app.run_files import read_config, read_evaluation, read_result

COUNTS = {"circle": 120, "square": 80, "triangle": 50, "ring": 30, "bar": 20}
FEW = ("n=200", "bootstrap_samples=10")
PARTS = "analysis=[scores,sample_check,confusions,clusters,bias,holes,neighbours,interpolation,spectrum,training]"
"""The other parts take minutes; they have tests with images of other shapes of their own."""


def draw_shapes(folder):
    """Draws 300 coloured images in five unequal classes."""
    rng = np.random.default_rng(0)
    for name, count in COUNTS.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            image = Image.new("RGB", (40, 40), tuple(rng.integers(0, 60, 3).tolist()))
            draw, colour = ImageDraw.Draw(image), tuple(rng.integers(120, 256, 3).tolist())
            x, y, r = rng.integers(14, 26), rng.integers(14, 26), rng.integers(8, 13)
            box = [x - r, y - r, x + r, y + r]
            if name == "circle":
                draw.ellipse(box, fill=colour)
            elif name == "square":
                draw.rectangle(box, fill=colour)
            elif name == "triangle":
                draw.polygon([(x, y - r), (x + r, y + r), (x - r, y + r)], fill=colour)
            elif name == "ring":
                draw.ellipse(box, outline=colour, width=3)
            else:
                draw.rectangle([x - r, y - 2, x + r, y + 2], fill=colour)
            image.save(folder / name / f"{number}.png")


@pytest.fixture
def whole_life(command, tmp_path):
    """Runs all commands on a data set, training once for each seed; returns the folder of the first run."""

    def whole_life(*data: str, seeds=(0,)):
        small = ("experiment=minute", "trainer.limit_train_batches=30", "trainer.precision=32-true", "network.width=8")
        few = ("callback.evaluation.n=200", "callback.samples.n_columns=4")
        for seed in seeds:
            command("train", *data, *small, *few, f"seed={seed}", f"hydra.run.dir=runs/{seed}")
        run = tmp_path / "runs" / "0"
        command("generate", "run=runs/0", "n_per_class=3", "output=grid.png")
        command("generate", "run=runs/0", "n_per_class=3", "output=samples.npz")
        command("evaluate", "run=runs/0", *FEW)
        command("analyze", "run=runs/0", PARTS, *FEW)
        command("compare", "runs=runs")
        command("export", "run=runs/0", "format=html", "output=page.html")
        return run

    return whole_life


def check(run, shape, classes):
    """Checks what the commands wrote, as far as it depends on the data set."""
    folder = run.parents[1]
    dataset = read_config(run / "config.yaml")["dataset"]
    assert (dataset["channels"], dataset["size"], dataset["size"]) == shape
    assert dataset["class_names"] == classes
    with np.load(folder / "samples.npz") as samples:
        assert samples["images"].shape == (3 * len(classes), *shape[1:], *([3] if shape[0] == 3 else []))
        assert samples["labels"].tolist() == [label for label in range(len(classes)) for _ in range(3)]
    result, evaluation = read_result(run / "result.json"), read_evaluation(run / "evaluation.json")
    assert evaluation["dataset"]["class_names"] == classes
    assert "fd_classifier_200_test" in result["scores"]
    fd = evaluation["scores"]["fd_classifier_200_test"]
    assert fd["floor"] < fd["value"]  # a generator of some steps is worse than real images
    agreement = evaluation["scores"]["label_agreement_classifier_200"]
    assert agreement["floor"] > 0.9  # the judge has learned the classes
    assert len(agreement["by_class"]) == len(classes)
    assert list(folder.rglob("comparison.html"))
    report = (run / "analysis" / "report.html").read_text(encoding="utf-8")
    assert all(name in report for name in classes)
    assert "t-shirt" not in report
    assert "garment" not in report.lower()
    findings = json.loads((run / "analysis" / "findings.json").read_text(encoding="utf-8"))
    assert not [part for part in findings.get("parts", {}).values() if part.get("error")]
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "t-shirt" not in page


def test_digits(whole_life):
    check(whole_life("data=digits"), (1, 16, 16), list("0123456789"))


def test_a_folder_of_coloured_images_in_unequal_classes(whole_life, tmp_path):
    draw_shapes(tmp_path / "shapes")
    check(whole_life("data=folder", "data.root=shapes", "data.size=16", seeds=(0, 1)), (3, 16, 16), sorted(COUNTS))


def test_a_thousand_classes_with_long_names_in_any_script(command, tmp_path):
    names = [f"{label:03d} 字{'🐈' * 55}" for label in range(1000)]
    images = np.random.default_rng(0).integers(0, 256, (2000, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "many.npz", images=images, labels=np.arange(2000) % 1000, class_names=np.array(names))
    few = ("experiment=smoke", "metric=[]", "trainer.max_epochs=1", "trainer.limit_train_batches=2")
    few += ("callback.evaluation.n=1000", "callback.samples.n_columns=1")
    command("train", "data=npz", "data.path=many.npz", *few, "hydra.run.dir=run")
    assert (tmp_path / "run" / "config.yaml").stat().st_size > 200_000
    command("train", "ckpt_path=run/checkpoints/last.ckpt", "trainer.max_epochs=2")
    assert read_config(tmp_path / "run" / "config.yaml")["dataset"]["class_names"] == names
    assert read_result(tmp_path / "run" / "result.json")["images_seen"] == 2 * 2 * 32
    command("generate", "run=run", "classes=[7,999]", "n_per_class=1", "output=two.npz")
    with np.load(tmp_path / "two.npz") as samples:
        assert samples["labels"].tolist() == [7, 999]
    command("export", "run=run", "output=many.safetensors")
    command("generate", "run=many.safetensors", "classes=[3]", "output=three.png")
