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
from PIL import Image

from fmcgan.app.config_dir import config_dir
from fmcgan.app.errors import UserError
from fmcgan.callback.samples import SampleGrid
from fmcgan.data.garments import GARMENTS
from fmcgan.figure.grid import class_grid
from fmcgan.generate import generate
from fmcgan.inference.generator import load_generator
from fmcgan.inference.safetensors_file import write_generator
from fmcgan.metric.samples_file import read_samples
from fmcgan.training.checkpoint_file import CHECKPOINT_FORMAT


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The bytes of the checkpoint of a tiny generator."""
    torch.manual_seed(0)
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        small = compose("train", ["experiment=smoke", "network.width=4", "network.latent_dim=8"])
    small.dataset = GARMENTS.as_config()
    config = {"network": {"generator": OmegaConf.to_container(small.network.generator, resolve=True)}}
    network = instantiate(config["network"]["generator"])
    state = {f"ema.generator.{name}": value for name, value in network.state_dict().items()}
    path = tmp_path_factory.mktemp("tiny") / "run.ckpt"
    torch.save({"config": config, "state_dict": state, "images_seen": 0, "format": CHECKPOINT_FORMAT}, path)
    return path.read_bytes()


@pytest.fixture
def run(checkpoint, tmp_path, monkeypatch):
    """An empty folder, and in it the checkpoint ``run.ckpt`` of a tiny generator."""
    monkeypatch.chdir(tmp_path)
    Path("run.ckpt").write_bytes(checkpoint)
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


def test_a_grid_says_where_it_comes_from_if_asked(run):
    generate(config_of("classes=[bag,3]", "n_per_class=4", "seed=5", "truncation=0.7", "title=true"))
    images, _ = load_generator("run.ckpt").sample(["bag", "dress"], 4, seed=5, truncation=0.7)
    rows = images.reshape(2, 4, *images.shape[1:])
    expected = class_grid(rows, ["bag", "dress"], "run.ckpt, seed 5, truncation 0.7")
    with Image.open("samples.png") as image:
        assert np.array_equal(np.asarray(image), np.asarray(expected))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [(["title=true", "output=a.npz"], "title=true is of a grid"), (["title=3"], "title must be true or false, got 3")],
)
def test_a_title_that_has_no_place_is_refused(run, overrides, message):
    with pytest.raises(UserError, match=message):
        generate(config_of(*overrides))


def test_without_a_run_it_is_the_shipped_generator(run, monkeypatch, caplog):
    of_run = load_generator("run.ckpt")
    about = {**of_run.about, "images_seen": 123_456, "command": "python -m fmcgan.train seed=7"}
    write_generator(Path("shipped.safetensors"), of_run.network.state_dict(), about)
    monkeypatch.setattr("fmcgan.inference.generator.SHIPPED", Path("shipped.safetensors"))
    with caplog.at_level(logging.INFO):
        generate(config_of("n_per_class=3", "output=shipped.npz", run=None))
    assert "123,456 images seen" in caplog.text
    with np.load("shipped.npz") as file:
        assert np.array_equal(file["images"], of_run.sample(n_per_class=3).images)
    caplog.clear()
    generate(config_of("n_per_class=3", "output=own.npz"))
    assert "shipped" not in caplog.text


def test_without_a_run_and_without_a_shipped_generator(run, monkeypatch):
    monkeypatch.setattr("fmcgan.inference.generator.SHIPPED", Path("nowhere.safetensors"))
    with pytest.raises(UserError, match="run="):
        generate(config_of(run=None))


@pytest.mark.process
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
from fmcgan.callback.samples import SampleGrid
from fmcgan.app.config_dir import config_dir
from fmcgan.figure.grid import class_grid
from fmcgan.generate import generate

for n in (500, 6000):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        generate(compose("generate", ["run=run.ckpt", f"n_per_class={n}", "output=a.npz"]))
    # Not getrusage: its maximum begins with that of the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    print(next(line.split()[1] for line in status if "VmHWM" in line))
"""


@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_memory_does_not_grow_with_the_number_of_images(run):
    printed = subprocess.run([sys.executable, "-c", MEMORY], cwd=run, stdout=subprocess.PIPE, text=True, check=True)
    few, many = map(int, printed.stdout.split())  # kilobytes
    assert Path("a.npz").stat().st_size > 47_000_000
    assert many - few < 8_000


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


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("n_per_class=99999999999999999999", "n_per_class must be a whole number of at least 1 and at most"),
        (f"n_per_class={2**53}", "n_per_class"),
        ("n_per_class=0", "n_per_class must be a whole number of at least 1, got 0"),
        ("n_per_class=1.5", "n_per_class must be a whole number"),
        ("n_per_class=[1]", "n_per_class must be a whole number"),
        ("classes=1.0", "unknown class 1.0; choose from"),
        ("classes=[]", "classes is empty"),
        ("classes={bag:1}", "classes must be names or labels"),
        ("classes=[hat]", "unknown class 'hat'"),
        ("truncation=3", "truncation must be a number from 0 to 1, got 3"),
        ("truncation=[1]", "truncation must be a number"),
        ("truncation=nan", "truncation must be a number"),
        ("output=[a]", "output must be one path"),
        ("output={a:1}", "output must be one path"),
        ("output=null", "output=null"),
        ("output=''", "output must be one path"),
        ("device=meta", "device=meta"),
        ("device=[cpu]", "device must be cpu"),
        ("device=5", "device must be cpu"),
        ("device=cpux", "device=cpux"),
        ("device=null", "device must be cpu"),
        ("weights=5", "weights must be one of ema, raw"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_leaves_nothing(run, override, said):
    before = sorted(run.rglob("*"))
    for output in ("a.npz", "a_folder"):
        with pytest.raises(UserError, match=said) as refused:
            generate(config_of(f"output={output}", override))
        assert len(str(refused.value).splitlines()) == 1
        assert sorted(run.rglob("*")) == before


def test_a_grid_of_too_many_columns_is_refused(run):
    with pytest.raises(UserError, match="n_per_class must be at most 1,127"):
        generate(config_of("n_per_class=100000"))
    with pytest.raises(UserError, match=r"n_columns .* 100"):
        SampleGrid(n_columns=100_000)


@pytest.mark.parametrize(
    "name", ["5", "1e3", "it's", 'say "x"', "日本", "a b", "[x]", "$HOME", "-", "a\nb", "é" * 100, "n" * 251]
)
@pytest.mark.parametrize("ending", ["", ".npz"])
def test_outputs_may_have_any_name(run, name, ending):
    config = config_of("n_per_class=2")
    config.output = f"sub/{name}{ending}" if len(f"{name}{ending}".encode()) < 256 else f"sub/{name[:200]}{ending}"
    generate(config)
    (made,) = Path("sub").iterdir()
    assert made == Path(config.output)
    assert len(read_samples(made, GARMENTS)[0]) == 20


@pytest.mark.parametrize("output", ["closed/a.npz", "closed/folder", "closed/a.png", "file/a.npz", "file/folder"])
def test_a_place_that_cannot_be_written_is_one_line(run, output, monkeypatch):
    Path("file").touch()
    Path("closed").mkdir()

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied", "closed")

    if output.startswith("closed"):
        monkeypatch.setattr("tempfile._os.mkdir", refuse)
        monkeypatch.setattr("fmcgan.figure.files.write_atomically", refuse)
    with pytest.raises(UserError, match=r"cannot write .*: (Permission denied|Not a directory|File exists)"):
        generate(config_of("n_per_class=2", f"output={output}"))


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_whose_writing_was_killed_is_written_by_the_same_command(run, start, there):
    if there:
        Path("images").mkdir()
    process = start("generate", "run=run.ckpt", "n_per_class=100000", "output=images")
    deadline = time.monotonic() + 120
    while not list(run.glob("**/t-shirt/000100.png")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    # No part is under its final name.
    assert not any(path.name in GARMENTS.class_names for path in run.glob("images/*"))
    generate(config_of("n_per_class=3", "output=images"))
    assert sorted(path.name for path in run.iterdir()) == ["images", "run.ckpt"]
    assert len(read_samples(Path("images"), GARMENTS)[0]) == 30


def test_jobs_of_a_sweep_do_not_write_over_each_other(command, tmp_path):
    few = ("-m", "classes=[bag]", "n_per_class=1", "seed=1,2")
    failed = command("generate", *few, "output=a.npz", code=1)
    assert failed.stderr.count("error: output=a.npz is also the output of an earlier job") == 1
    assert "Traceback" not in failed.stderr
    command("generate", *few, "output=b_${seed}.npz")
    assert sorted(path.name for path in tmp_path.rglob("*.npz")) == ["a.npz", "b_1.npz", "b_2.npz"]
