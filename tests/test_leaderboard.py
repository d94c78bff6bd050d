"""``python -m fmcgan.leaderboard`` from the command line to its page."""

import json
import re

import numpy as np
import pytest

from fmcgan.data.synthetic import SyntheticData

OPTIONS = ("data=synthetic", "metric=[frechet,gan_test]", "rank_by=fd", "bootstrap_samples=20")
PLANTED = ("first_half", "second_half", "slight", "heavy", "noise")
"""Other drawn garments in two halves, with noise of 10 and of 60 grey levels, and noise alone."""


def save(folder, name, images, labels):
    np.savez(folder / f"{name}.npz", images=images, labels=labels)


@pytest.fixture
def handed_in(tmp_path, drawn):
    """Submissions with a known order, a copier, one with too few samples, and a damaged file."""
    folder, rng = tmp_path / "handed_in", np.random.default_rng(0)
    folder.mkdir()
    new = drawn(SyntheticData(1000, 1000, drawing_seed=1, batch_size=10, seed=0))
    images, labels = new.train_images[:, 0].numpy(), new.train_labels.numpy()
    for start, name in ((0, "first_half"), (500, "second_half")):
        save(folder, name, images[start : start + 500], labels[start : start + 500])
    for level, name in ((10, "slight"), (60, "heavy")):
        noised = (images[:500] + rng.normal(0, level, (500, 28, 28))).clip(0, 255).astype(np.uint8)
        save(folder, name, noised, labels[:500])
    save(folder, "noise", rng.integers(0, 256, (500, 28, 28), dtype=np.uint8), labels[:500])
    known = drawn(SyntheticData(2000, 1000, batch_size=10, seed=0))
    save(folder, "copier", known.train_images[:500, 0].numpy(), known.train_labels[:500].numpy())
    save(folder, "few", images[:100], labels[:100])
    save(folder, "shape", images[:500, :20], labels[:500])
    save(folder, "labels", images[:500], labels[:500] + 1)
    (folder / "damaged.npz").write_bytes((folder / "noise.npz").read_bytes()[:5000])
    (folder / "report.pdf").write_bytes(b"%PDF")
    return folder


def test_the_planted_order_is_found_and_a_new_team_alone_is_scored(command, handed_in, tmp_path, drawn):
    arguments = ("samples=handed_in", "n=500", *OPTIONS)
    printed = command("leaderboard", *arguments).stdout
    folder = tmp_path / "handed_in_leaderboard"
    record = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))
    ranks = {each["name"]: each["rank"] for each in record["submissions"]}
    assert ranks == {"first_half": 1, "second_half": 1, "slight": 3, "heavy": 4, "noise": 5, "copier": None}
    copier = next(each for each in record["submissions"] if each["name"] == "copier")
    assert (copier["copies_of_training_images"], copier["copies_of_test_images"]) == (500, 0)
    assert not any(each["has_near_copies"] for each in record["submissions"] if each["name"] != "copier")
    assert set(record["failed"]) == {"few", "shape", "labels", "damaged", "report"}
    assert "100 samples" in record["failed"]["few"]
    assert "damaged or cut short" in record["failed"]["damaged"]
    values = record["baselines"]
    assert values["real"]["fd_classifier_500_test"] < values["uniform noise"]["fd_classifier_500_test"]
    assert set(values) == {"real", "shuffled labels", "uniform noise", "class means", "training copies"}
    assert max(map(len, printed.splitlines())) <= 80
    assert printed.index("slight") < printed.index("heavy") < printed.rindex("noise")

    there = {path.name: path.stat().st_mtime_ns for path in (folder / "scores").iterdir()}
    assert len(there) == 6
    late = drawn(SyntheticData(500, 1000, drawing_seed=2, batch_size=10, seed=0))
    save(handed_in, "late", 255 - late.train_images[:, 0].numpy(), late.train_labels.numpy())
    command("leaderboard", *arguments)
    after = {path.name: path.stat().st_mtime_ns for path in (folder / "scores").iterdir()}
    assert there.items() <= after.items()
    assert len(after) == 7
    again = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))
    assert {each["name"] for each in again["submissions"]} == {*ranks, "late"}
    first = {each["name"]: each["scores"] for each in record["submissions"]}
    assert all(first[each["name"]] == each["scores"] for each in again["submissions"] if each["name"] != "late")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["samples=nowhere"], "samples=nowhere is not a folder"),
        (["samples=empty"], "samples=empty is empty"),
        ([], "samples"),
        (["samples=empty", "rank_by=best"], "rank_by must begin the name of one of class_fd_classifier"),
        (["samples=empty", "bootstrap_samples=0"], "bootstrap_samples must be a whole number of at least 10"),
        (["samples=bad"], "no submission could be scored (mine: "),
    ],
)
def test_bad_input_ends_with_one_clear_line(command, tmp_path, arguments, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "mine.npz").write_bytes(b"")
    errors = command("leaderboard", *arguments, "data=synthetic", code=1).stderr
    (line,) = re.findall("^error: .*", errors, re.MULTILINE)
    assert said in line
