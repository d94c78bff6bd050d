"""``python -m fmcgan.usefulness`` from the command line to its page."""

import json
import re
import signal
import time

import numpy as np
import pytest
import yaml

from fmcgan.data.synthetic import SyntheticData

FEW = ("protocol.seeds=[0,1]", "protocol.ratios=[1]", "protocol.only_generated=false")
EVEN = (*FEW, "protocol.steps=10", "protocol.long_tail=null")


@pytest.fixture
def samples(tmp_path):
    """A file of 400 drawn garments."""
    splits = SyntheticData(400, 10, 5, batch_size=10, seed=0).load()
    np.savez(tmp_path / "mine.npz", images=splits.train_images[:, 0].numpy(), labels=splits.train_labels.numpy())
    return "samples=mine.npz"


def test_the_command_writes_a_page_beside_the_samples(command, samples, tmp_path):
    sizes = ("protocol.sizes=[50]", "protocol.long_tail=10", "protocol.long_tail_sizes=[60]")
    done = command("usefulness", samples, "data=synthetic", "protocol.steps=10", *FEW, *sizes)
    folder = tmp_path / "mine_usefulness"
    record = json.loads((folder / "usefulness.json").read_text(encoding="utf-8"))
    for number, finding in enumerate(record["findings"], 1):
        assert f"{number:2}. {finding}" in done.stdout
    assert {(each["n"], each["long_tail"]) for each in record["arms"]} == {(50, None), (60, 10)}
    assert record["n_test"] == 1000
    assert "not known" in record["caveat"]
    assert len(list((folder / "cells").iterdir())) == 2 * (3 + 4)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")


def test_digits_take_all_their_images_as_the_largest_size(command, tmp_path):
    pytest.importorskip("sklearn")
    command("usefulness", "data=digits", "samples=train", "protocol.sizes=[100,60000]", *EVEN, "output=found")
    record = json.loads((tmp_path / "found" / "usefulness.json").read_text(encoding="utf-8"))
    assert {each["n"] for each in record["arms"]} == {100, 1438}
    assert list(record["skipped"]) == ["n = 1,438, m = n"]  # no other real image is left


def test_a_killed_measurement_goes_on(start, command, samples, tmp_path):
    arguments = (
        samples,
        "data=synthetic",
        "protocol.sizes=[50]",
        *FEW,
        "protocol.steps=300",
        "protocol.long_tail=null",
    )
    cells = tmp_path / "mine_usefulness" / "cells"
    process = start("usefulness", *arguments)
    deadline = time.monotonic() + 200
    while len(list(cells.glob("*.npz"))) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    there = {path.name: path.stat().st_mtime_ns for path in cells.glob("*.npz")}
    assert 2 <= len(there) < 6
    said = command("usefulness", *arguments).stderr
    assert f"{len(there)} of 6 classifiers are there" in said
    after = {path.name: path.stat().st_mtime_ns for path in cells.glob("*.npz")}
    assert len(after) == 6
    assert there.items() <= after.items()


def test_generators_from_scratch_see_only_the_real_images_of_their_set(command, tmp_path):
    trained = ("from=scratch", 'train=["experiment=smoke","metric=[]","trainer.max_epochs=1"]', "data=synthetic")
    command("usefulness", *trained, "protocol.sizes=[60]", *EVEN, "output=found", "seed=3")
    record = json.loads((tmp_path / "found" / "usefulness.json").read_text(encoding="utf-8"))
    assert record["caveat"] == ""
    runs = sorted((tmp_path / "found" / "generators").iterdir())
    assert len(runs) == 2
    for seed, run in enumerate(runs):
        config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        assert (config["data"]["subset"]["n"], config["data"]["subset"]["seed"], config["seed"]) == (60, seed, seed)
        assert (run / "result.json").is_file()


def test_samples_that_are_test_images_are_told(command, tmp_path):
    splits = SyntheticData(2000, 1000, batch_size=10, seed=0).load()
    images, labels = splits.test_images[:300, 0].numpy(), splits.test_labels[:300].numpy()
    np.savez(tmp_path / "leak.npz", images=images, labels=labels)
    command("usefulness", "samples=leak.npz", "data=synthetic", "protocol.sizes=[50]", *EVEN)
    record = json.loads((tmp_path / "leak_usefulness" / "usefulness.json").read_text(encoding="utf-8"))
    assert record["caveat"].startswith("300 of the samples are test images")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["samples=test"], "samples=test would train classifiers on the images that they are tested on"),
        (["from=scratch", "samples=train"], "give neither run= nor samples="),
        (["from=scratch", "data.subset.n=100"], "omit data.subset"),
        (["from=nothing"], "from must be one of given, scratch, got 'nothing'"),
        (["train=quick"], "train must be a list of overrides"),
        (["protocol.seeds=[0]"], "protocol.seeds must be at least two"),
        (["samples=nowhere.npz"], "nowhere.npz"),
    ],
)
def test_bad_input_ends_with_one_clear_line(command, arguments, said):
    errors = command("usefulness", *arguments, "data=synthetic", code=1).stderr
    assert said in errors
    assert len(re.findall("^error: ", errors, re.MULTILINE)) == 1
