"""``fmcgan.generate``: images go to the disk as they are made."""

import logging
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from fmcgan.config_dir import config_dir
from fmcgan.errors import UserError
from fmcgan.generate import generate
from fmcgan.generator import load_generator
from fmcgan.generator_file import write_generator
from fmcgan.training.checkpoint_format import CHECKPOINT_FORMAT


@pytest.fixture
def run(tmp_path, monkeypatch):
    """An empty folder, and in it the checkpoint ``run.ckpt`` of a tiny generator."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        small = compose("train", ["experiment=smoke", "network.width=4", "network.latent_dim=8"]).network.generator
    config = {"network": {"generator": OmegaConf.to_container(small, resolve=True)}}
    network = instantiate(config["network"]["generator"])
    state = {f"ema.generator.{name}": value for name, value in network.state_dict().items()}
    torch.save({"config": config, "state_dict": state, "images_seen": 0, "format": CHECKPOINT_FORMAT}, "run.ckpt")
    return tmp_path


def config_of(*overrides, run="run=run.ckpt"):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("generate", [*([run] if run else []), *overrides])


def test_what_is_streamed_to_a_file_is_what_the_library_samples(run, caplog):
    with caplog.at_level(logging.INFO):
        generate(config_of("classes=[bag,3]", "n_per_class=300", "seed=5", "truncation=0.7", "output=new/two.npz"))
    generator = load_generator("run.ckpt")
    images, labels = generator.sample(["bag", "dress"], 300, seed=5, truncation=0.7)
    with np.load("new/two.npz") as file:
        assert file.files == ["images", "labels"]
        assert file["images"].dtype == np.uint8
        assert np.array_equal(file["images"], images)
        assert file["labels"].dtype == np.int64
        assert np.array_equal(file["labels"], labels)
    assert np.array_equal(
        np.concatenate([part.images for part in generator.stream("bag", 9, first=4)]),
        generator.sample("bag", 9, first=4).images,
    )
    assert re.search(r"600 images of 2 classes: new/two\.npz \([\d,]+ images/s\)", caplog.text)
    assert [path.name for path in Path("new").iterdir()] == ["two.npz"]


def test_without_a_run_it_is_the_shipped_generator(run, monkeypatch, caplog):
    of_run = load_generator("run.ckpt")
    about = {**of_run.about, "images_seen": 123_456, "command": "python -m fmcgan.train seed=7"}
    write_generator(Path("shipped.safetensors"), of_run.network.state_dict(), about)
    monkeypatch.setattr("fmcgan.generator.SHIPPED", Path("shipped.safetensors"))
    with caplog.at_level(logging.INFO):
        generate(config_of("n_per_class=3", "output=shipped.npz", run=None))
    said = "the shipped generator (run= gives another), 123,456 images seen"
    assert said in caplog.messages
    with np.load("shipped.npz") as file:
        assert np.array_equal(file["images"], of_run.sample(n_per_class=3).images)
    caplog.clear()
    generate(config_of("n_per_class=3", "output=own.npz"))
    assert "shipped" not in caplog.text


def test_without_a_run_and_without_a_shipped_generator(run, monkeypatch):
    monkeypatch.setattr("fmcgan.generator.SHIPPED", Path("nowhere.safetensors"))
    with pytest.raises(UserError, match="no generator is shipped with this version: give run=, a run folder"):
        generate(config_of(run=None))


def test_to_generate_needs_no_lightning(run):
    """Importing it takes longer than to make a thousand images."""
    code = "import sys; from fmcgan import load_generator; load_generator('run.ckpt').sample(); print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], cwd=run, stdout=subprocess.PIPE, text=True, check=True)
    assert "fmcgan.training.sampling" in printed.stdout.split()
    assert {"lightning", "torchvision", "torchmetrics"}.isdisjoint(printed.stdout.split())


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_in_a_terminal_only(run, capsys, monkeypatch, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    generate(config_of("n_per_class=200", "output=a.npz"))
    shown = capsys.readouterr().err
    if not terminal:
        assert shown == ""
        return
    assert re.search(r"\r  0% \|.*\| 0\.00/2\.00k images, .*, \? left", shown)
    assert re.search(r"\r100% \|.*\| 2\.00k/2\.00k images, .* images/s, 00:00 left", shown)


@pytest.mark.parametrize("output", ["a.npz", "folder"])
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(run, output):
    """A limit on the size of files stands in for a full disk: both fail within a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(UserError) as caught:
            generate(config_of("n_per_class=300", f"output={output}"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value) == f"cannot write {output} (3,000 images): File too large."
    assert [path.name for path in run.rglob("*") if path.is_file()] == ["run.ckpt"]


MEMORY = """
from pathlib import Path
from hydra import compose, initialize_config_dir
from fmcgan.config_dir import config_dir
from fmcgan.generate import generate

for n in (500, 6000):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        generate(compose("generate", ["run=run.ckpt", f"n_per_class={n}", "output=a.npz"]))
    # Not getrusage: its maximum begins with that of the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    print(next(line.split()[1] for line in status if "VmHWM" in line))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_memory_does_not_grow_with_the_number_of_images(run):
    printed = subprocess.run([sys.executable, "-c", MEMORY], cwd=run, stdout=subprocess.PIPE, text=True, check=True)
    few, many = map(int, printed.stdout.split())  # kilobytes
    assert Path("a.npz").stat().st_size > 47_000_000
    assert many - few < 8_000


@pytest.mark.slow
@pytest.mark.parametrize(("signal_number", "code", "left"), [(signal.SIGKILL, -9, 1), (signal.SIGINT, 130, 0)])
def test_stopped_in_the_middle_the_earlier_file_stays(run, start, signal_number, code, left):
    Path("a.npz").write_bytes(b"earlier")
    process = start("generate", "run=run.ckpt", "n_per_class=1000000", "output=a.npz")
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size > 10**6 for path in run.glob("a.npz.unfinished-*/a.npz")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal_number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert Path("a.npz").read_bytes() == b"earlier"
    assert len(list(run.glob("*unfinished*"))) == left  # what a kill leaves can be thrown away
