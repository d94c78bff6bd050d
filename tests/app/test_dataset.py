"""Classes and shape of the images in a resolved configuration, which ``--cfg job --resolve`` prints."""

import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from fmcgan.app.config_dir import config_dir, option_names
from fmcgan.app.dataset import register_dataset
from fmcgan.app.error_messages import format_error
from fmcgan.data.datamodule import ImageDataModule


@pytest.fixture
def needed(tmp_path):
    """What the data sets of users' own files need, by name."""
    grey = np.zeros((4, 16, 16), np.uint8)
    np.savez(tmp_path / "a.npz", images=grey, labels=np.arange(4) % 2)
    (tmp_path / "MedMNIST").mkdir()
    np.savez(tmp_path / "MedMNIST" / "cells.npz", images=grey, labels=np.arange(4) % 2)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (16, 16), "red").save(tmp_path / "photos" / name / f"{number}.png")
    for split in ("train", "t10k"):
        images = np.array([0, 0, 8, 3, *(4).to_bytes(4), *(16).to_bytes(4), *(16).to_bytes(4)], np.uint8).tobytes()
        (tmp_path / f"{split}-images-idx3-ubyte").write_bytes(images + grey.tobytes())
        labels = np.array([0, 0, 8, 1, *(4).to_bytes(4), 0, 1, 0, 1], np.uint8).tobytes()
        (tmp_path / f"{split}-labels-idx1-ubyte").write_bytes(labels)
    return {
        "folder": [f"data.root={tmp_path}/photos"],
        "npz": [f"data.path={tmp_path}/a.npz"],
        "idx": [f"data.root={tmp_path}"],
        "medmnist": ["data.flag=cells", f"data.root={tmp_path}"],
    }


@pytest.fixture
def resolved(monkeypatch):
    """Composes and resolves the configuration of a run, as ``--cfg job --resolve`` does."""
    register_dataset()
    monkeypatch.setattr(ImageDataModule, "prepared", lambda self: pytest.fail("loads the images"))

    def resolved(*overrides: str):
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            config = compose("train", ["trainer.default_root_dir=null", "logger=[]", *overrides])
        OmegaConf.resolve(config)
        return config

    return resolved


@pytest.mark.parametrize("name", option_names("data"))
def test_of_every_data_set(name, needed, resolved, monkeypatch):
    monkeypatch.setattr("fmcgan.data.medmnist._published", lambda flag: None)
    config = resolved(f"data={name}", *needed.get(name, []))
    assert config.dataset.num_classes == len(config.dataset.class_names) >= 2
    assert config.network.generator.image_size == config.dataset.size
    assert config.network.discriminator.conditioning.channels == config.dataset.channels
    assert "${" not in OmegaConf.to_yaml(config).replace("${hydra", "")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=folder"], "data.root= is missing"),
        (["data=npz"], "data.path= is missing"),
        (["data=folder", "data.root=nowhere"], "data.root=nowhere does not exist; "),
        (["data=npz", "data.path=nowhere.npz"], "nowhere.npz: no such file; "),
        (["data=idx", "data.root=nowhere"], "nowhere has no file "),
        (["data.size=30"], "images of data set fashion_mnist must have a height and width of 16 to 64 pixels"),
        (["data.subset.n=much"], "data.subset.n must be "),
    ],
)
def test_of_a_data_set_that_is_not_there_says_so_in_one_line(overrides, message, resolved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception) as error:  # noqa: PT011 (what it says is checked)
        resolved(*overrides)
    line = format_error(error.value)
    assert line.startswith(f"error: {message}")
    assert "\n" not in line


def test_commands_print_it(command):
    printed = yaml.safe_load(command("train", "data=digits", "--cfg", "job", "--resolve").stdout)
    assert printed["dataset"]["class_names"] == list("0123456789")
    assert printed["network"]["generator"]["conditioning"]["num_classes"] == 10
    assert "dataset: ${fmcgan.dataset:" in command("train", "--cfg", "job").stdout
    failed = command("train", "data=folder", "--cfg", "job", "--resolve", code=1)
    assert failed.stderr == "error: data.root= is missing; --help shows how to use this command\n"
    for name in ("evaluate", "analyze", "generate", "export", "compare"):
        values = ["runs=x"] if name == "compare" else []
        assert yaml.safe_load(command(name, *values, "--cfg", "job", "--resolve").stdout)
