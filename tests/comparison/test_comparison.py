import csv
from dataclasses import replace

import numpy as np
import pytest
import yaml
from PIL import Image

from fmcgan.app.errors import UserError
from fmcgan.comparison.comparison import compare
from fmcgan.data.garments import GARMENTS
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.axes import PANEL_INCHES
from fmcgan.figure.files import DPI

pytestmark = pytest.mark.train  # composes or draws for seconds


@pytest.fixture
def sweep(write_run, tmp_path):
    """Two losses and two seeds: ``a`` is quick and runs long, ``b`` is slow and short; and a run that failed."""
    a = [(1000, 10.0, 30.0), (2000, 20.0, 20.0), (3000, 30.0, 10.0)]
    b = [(1000, 25.0, 14.0), (2000, 50.0, 4.0)]
    shift = [(n, s, fd + 2) for n, s, fd in a]
    write_run("0", ["loss=a", "seed=0", "x=1"], a, (3000, 10.0), seed=0, seconds=30.0, sample=100)
    write_run("1", ["loss=a", "seed=1", "x=1"], shift, (3000, 12.0), seed=1, seconds=30.0, sample=150)
    write_run("2", ["loss=b", "seed=0", "x=1"], b, (2000, 4.0), seed=0, seconds=50.0, sample=200)
    write_run("3", ["loss=b", "seed=1", "x=1"], [(1000, 28.0, 15.0)], seed=1)
    return tmp_path / "runs"


def table(page, title):
    """The table below a heading, as a list of dicts by group."""
    section = page.split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line] for line in lines]
    return {row[0]: dict(zip(head, row, strict=False)) for row in rows}


def test_tables(sweep, tmp_path):
    page = compare([sweep], tmp_path / "out").read_text(encoding="utf-8")
    assert page.startswith("# Comparison of 3 runs in 2 groups\n")

    end = table(page, "At the end")
    assert list(end) == ["`loss=a`", "`loss=b`", "real data"]
    a = end["`loss=a`"]
    assert a["seeds"] == "2 (0, 1)"
    assert a["images seen"] == "3,000"
    assert a["minutes"] == "0.5000 ± 0.0000"
    assert a["fd ↓"] == "11.00 ± 1.41"  # of 10 and 12: sqrt(((-1)^2 + 1^2) / 1)
    assert a["generator loss"] == "1.500 ± 0.707"
    assert a["discriminator gradient norm"] == "4.000 ± 0.000"
    assert a["images/s"] == "100.0 ± 0.0"
    assert end["`loss=b`"]["fd ↓"] == "4.000"  # one seed: no spread, and nothing bold
    assert end["real data"]["fd ↓"] == "1.500"

    assert "Budget: 2,000 images" in page
    images = table(page, "At equal images")
    assert images["`loss=a`"]["evaluated at images"] == "2,000"
    assert images["`loss=a`"]["fd ↓"] == "21.00 ± 1.41"
    assert images["`loss=a`"]["minutes"] == "0.3333 ± 0.0000"
    assert images["`loss=a`"]["generator loss"] == "20.00 ± 0.00"
    assert images["`loss=b`"]["fd ↓"] == "4.000"

    assert "Budget: 0.5000 minutes" in page
    time = table(page, "At equal time")
    assert time["`loss=a`"]["fd ↓"] == "11.00 ± 1.41"
    assert time["`loss=b`"]["evaluated at images"] == "1,000"
    assert time["`loss=b`"]["fd ↓"] == "14.00"


def test_failed_run_is_listed_and_sources_are_quoted(sweep, tmp_path):
    page = compare([sweep], tmp_path / "out").read_text(encoding="utf-8")
    assert "- not in the tables: `3` (`loss=b seed=1 x=1`), last row at 1,000 images seen" in page
    assert "- hardware: cpu (3 runs)" in page
    assert "- command: `python -m fmcgan.train -m loss=a,b seed=0,1` (3 runs)" in page
    assert "- `fd`: lower is better, measured on 10,000 images." in page


def test_csv_holds_all_digits(sweep, tmp_path):
    compare([sweep], tmp_path / "out")
    with (tmp_path / "out" / "comparison.csv").open() as file:
        groups = list(csv.DictReader(file))
    assert [row["group"] for row in groups] == ["loss=a", "loss=b"]
    assert float(groups[0]["end/score/fd/mean"]) == 11.0
    assert float(groups[0]["end/score/fd/std"]) == pytest.approx(2**0.5, rel=1e-12)
    assert groups[0]["end/score/fd/n"] == "2"
    assert groups[1]["end/score/fd/std"] == ""
    assert float(groups[1]["equal_time/score/fd/mean"]) == 14.0
    with (tmp_path / "out" / "runs.csv").open() as file:
        runs = list(csv.DictReader(file))
    assert [(row["run"], row["seed"], row["status"]) for row in runs] == [
        ("0", "0", "finished"),
        ("1", "1", "finished"),
        ("2", "0", "finished"),
        ("3", "1", "not finished"),
    ]
    assert [row["equal_images/score/fd"] for row in runs] == ["20.0", "22.0", "4.0", ""]
    assert runs[3]["images_seen"] == "1000"


def test_figures(sweep, tmp_path):
    page = compare([sweep], tmp_path / "out").read_text(encoding="utf-8")
    sizes = {}
    for name in ("loss.png", "grad_norm.png", "scores.png", "samples.png"):
        assert f"![{name}]({name})" in page
        with Image.open(tmp_path / "out" / name) as image:
            sizes[name] = image.size
        for suffix in (".svg", ".pdf"):
            assert (tmp_path / "out" / name).with_suffix(suffix).is_file() == (name != "samples.png")
    for name in ("loss.png", "grad_norm.png", "scores.png"):
        assert sizes[name][0] == int(2 * PANEL_INCHES[0] * DPI)  # images seen and minutes; generator and discriminator
        assert 0 < sizes[name][1] - PANEL_INCHES[1] * DPI < 0.6 * DPI
    with Image.open(tmp_path / "out" / "samples.png") as image, Image.open(sweep / "0/samples/epoch_002.png") as grid:
        assert image.width == 2 * grid.width
        picture, height = np.asarray(image), grid.height
        np.testing.assert_array_equal(picture[-height:, : grid.width], np.asarray(grid))
    assert (picture[-height:, picture.shape[1] // 2 :] == 200).any()  # epoch 2, not 1, of loss=b


def test_clear_best_is_bold(write_run, tmp_path):
    for number, (loss, seed, fd) in enumerate([("a", 0, 5.0), ("a", 1, 5.2), ("b", 0, 9.0), ("b", 1, 9.2)]):
        write_run(str(number), [f"loss={loss}", f"seed={seed}"], [(1000, 60.0, fd)], (1000, fd), seed=seed)
    page = compare([tmp_path / "runs"], tmp_path / "out").read_text(encoding="utf-8")
    for title in ("At the end", "At equal images", "At equal time"):
        cells = table(page, title)
        assert cells["`loss=a`"]["fd ↓"] == "**5.100 ± 0.141**"
        assert cells["`loss=b`"]["fd ↓"] == "9.100 ± 0.141"


def test_unequal_hardware_and_repeated_seeds_are_said(write_run, tmp_path):
    write_run("0", ["loss=a"], [], (1000, 5.0), hardware="one GPU")
    write_run("1", ["loss=a"], [], (1000, 5.0), hardware="two cores")
    page = compare([tmp_path / "runs" / "0", tmp_path / "runs" / "1"], tmp_path / "out").read_text(encoding="utf-8")
    assert "different hardware" in page
    assert "`loss=a` has seed 0 more than once" in page


def test_run_given_twice_counts_once(write_run, tmp_path):
    folder = write_run("0", [], [(1000, 60.0, 5.0)], (1000, 5.0))
    page = compare([folder, tmp_path / "runs"], tmp_path / "out").read_text(encoding="utf-8")
    assert page.startswith("# Comparison of 1 run in 1 group\n")
    assert "more than once" not in page
    assert not (tmp_path / "out" / "samples.png").exists()


def test_nothing_finished_is_said_with_the_names(write_run, tmp_path):
    write_run("sweep/0", [], [(1000, 60.0, 5.0)])
    write_run("sweep/1", [])
    with pytest.raises(UserError, match=r"result\.json \(0, 1\)"):
        compare([tmp_path / "runs"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_damaged_sample_is_named(write_run, tmp_path):
    folder = write_run("0", [], [], (1000, 5.0), sample=3)
    (folder / "samples" / "epoch_002.png").write_bytes(b"not a picture")
    with pytest.raises(UserError, match=r"epoch_002\.png is not a readable PNG"):
        compare([folder], tmp_path / "out")


def test_runs_of_different_data_sets_are_not_compared(write_run, tmp_path):
    folders = [write_run(str(number), [f"seed={number}"], [], (1000, 5.0), seed=number) for number in range(4)]
    signs = DatasetInfo("signs", ("a", "b"), 3, 32)
    name_data_set(folders[1], GARMENTS)  # run 0 is of an older release
    compare(folders[:2], tmp_path / "out")
    for other, said in ((signs, "signs"), (replace(GARMENTS, name="drawn"), "drawn")):
        name_data_set(folders[2], other)
        with pytest.raises(UserError, match=rf"different data sets .*fashion_mnist \(1\).*{said} \(2\)"):
            compare(folders[:3], tmp_path / "other")
    name_data_set(folders[2], signs)
    with pytest.raises(UserError, match=r"not named \(0\).*signs \(2\)"):
        compare([folders[0], folders[2]], tmp_path / "other")
    assert not (tmp_path / "other").exists()
    name_data_set(folders[2], signs, size=5)
    with pytest.raises(UserError, match=r"runs/2: .*height and width .* got 5"):
        compare(folders, tmp_path / "other")


def name_data_set(folder, info, **wrong):
    """Writes into the configuration of a run what its images were."""
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    (folder / "config.yaml").write_text(
        yaml.safe_dump(config | {"dataset": info.as_config() | wrong}), encoding="utf-8"
    )
