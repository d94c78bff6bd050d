"""Fixtures that several packages share."""

import copy
import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.command_client import Fork, connect, start_server

pytest_plugins = ["tests.kinds"]

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: there is a process for each core already

CHROMIUM_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *(
        "--disable-background-networking",
        "--disable-component-update",
        "--hide-scrollbars",
        "--force-prefers-reduced-motion",
    ),
)
BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[2] / "shared" / "data" / "fashion-mnist"


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session that all its workers share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session", autouse=True)
def _cache(shared_folder: Path) -> None:
    """What is measured of real images is kept for this session, and nothing of the user's own is read."""
    folder = shared_folder / "cache"
    folder.mkdir(exist_ok=True)
    os.environ["FMCGAN_CACHE"] = str(folder)


@pytest.fixture(autouse=True)
def _no_command_left():
    """Forgets the command that a test composed: the next one must not take its overrides for its own."""
    yield
    if "hydra.core.hydra_config" in sys.modules:
        from hydra.core.hydra_config import HydraConfig

        HydraConfig.instance().cfg = None


@pytest.fixture(scope="session")
def mirror() -> str:
    """Where the real Fashion-MNIST files lie; tests that need them are skipped if they lie nowhere near."""
    if address := os.environ.get("FMCGAN_DATA_MIRROR"):
        return address
    if BESIDE_THE_CHECKOUT.is_dir():
        return str(BESIDE_THE_CHECKOUT)
    pytest.skip("no Fashion-MNIST mirror: set FMCGAN_DATA_MIRROR")


@pytest.fixture(scope="session")
def fashion_mnist(mirror: str, tmp_path_factory: pytest.TempPathFactory):
    """The real data set, read once."""
    from fmcgan.data.fashion_mnist import FashionMNISTData

    return FashionMNISTData(tmp_path_factory.mktemp("data"), mirror, batch_size=100, seed=0).load()


@pytest.fixture(scope="session")
def real_train(fashion_mnist):
    from tests.garments import garment_set

    return garment_set(fashion_mnist.train_images, fashion_mnist.train_labels)


@pytest.fixture(scope="session")
def real_test(fashion_mnist):
    from tests.garments import garment_set

    return garment_set(fashion_mnist.test_images, fashion_mnist.test_labels)


@pytest.fixture(scope="session")
def real(real_train, real_test):
    from fmcgan.metric.image_set import RealImages

    return RealImages(real_train, real_test)


@functools.cache
def _composed(*overrides: str):
    from hydra import compose, initialize_config_dir
    from hydra.utils import instantiate

    from fmcgan.app.config_dir import config_dir

    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        usual = ["experiment=smoke", "trainer.default_root_dir=null", "logger=[]", "trainer.accelerator=cpu"]
        config = compose("train", [*usual, *overrides])
        config.dataset = instantiate(config.data).info.as_config()
        return config


@pytest.fixture
def compose(tmp_path: Path):
    """Composes the configuration of a small run on drawn images, as `fmcgan.train` would, without its command line."""

    def compose(*overrides: str, folder: str = "run"):
        (tmp_path / folder).mkdir(exist_ok=True)
        config = copy.deepcopy(_composed(*overrides))
        if config.trainer.default_root_dir is None:
            config.trainer.default_root_dir = str(tmp_path / folder)
        return config

    return compose


@pytest.fixture
def plain(compose):
    """The same as plain containers, with the precision that is to be found out."""
    from omegaconf import OmegaConf

    def plain(*overrides: str):
        return OmegaConf.to_container(compose("trainer.precision=auto", *overrides), resolve=True)

    return plain


@pytest.fixture(scope="session")
def drawn():
    """Loads drawn garments without drawing the same ones again."""
    from fmcgan.data.synthetic import SyntheticData
    from tests.drawn import remembering

    return remembering(SyntheticData.load)


@pytest.fixture
def fit(compose, drawn, monkeypatch):
    """Trains such a run in this process, without the figures of its curves unless asked for; returns trainer and GAN.

    Drawing would take longer than the training.
    """
    from fmcgan.train import build

    monkeypatch.setattr("fmcgan.data.synthetic.SyntheticData.load", drawn)

    def fit(*overrides: str, ckpt_path: Path | None = None, folder: str = "run", extra_callbacks=(), figures=False):
        from omegaconf import OmegaConf

        if not figures:
            for name in ("loss_figure", "gradient_norm_figure", "write_png", "write_figure"):
                monkeypatch.setattr(f"fmcgan.callback.run_info.{name}", lambda *given: None)
        config = compose("metric=[]", "callback=[metrics_logger,checkpointing,run_info]", *overrides, folder=folder)
        trainer, gan, data = build(config)
        trainer.callbacks[1:1] = extra_callbacks  # behind the metrics_logger, in front of the checkpoints
        for callback in trainer.callbacks:
            if hasattr(callback, "configure"):
                callback.configure(OmegaConf.to_container(config, resolve=True))
        trainer.fit(gan, data, ckpt_path=None if ckpt_path is None else str(ckpt_path), weights_only=True)
        return trainer, gan

    return fit


@pytest.fixture
def start(tmp_path: Path, command_server):
    """Starts ``python -m fmcgan.<name>`` in an empty folder; returns the process.

    It is a fork of one that has imported the large libraries; a fresh one if asked for.
    """
    processes: list[subprocess.Popen | Fork] = []

    def start(
        name: str, *arguments: str, env: dict[str, str] | None = None, fresh=False, **options
    ) -> subprocess.Popen | Fork:
        environment = os.environ | {"PWD": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""} | (env or {})
        words = list(map(str, arguments))
        if fresh:
            what = [sys.executable, "-m", f"fmcgan.{name}", *words]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            process = subprocess.Popen(what, cwd=tmp_path, env=environment, text=True, **pipes)
        else:
            process = Fork(command_server, name, words, folder=str(tmp_path), environment=environment, **options)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()


_DEVICE = """
import runpy, sys, torch
from datetime import timedelta
file, name, rank, store, result = sys.argv[1:]
options = {"rank": int(rank), "world_size": 2, "timeout": timedelta(seconds=60)}
torch.distributed.init_process_group("gloo", f"file://{store}", **options)
torch.save(runpy.run_path(file)[name](int(rank)), result)
torch.distributed.destroy_process_group()
"""


@pytest.fixture(scope="session")
def on_two_devices(command_server, tmp_path_factory: pytest.TempPathFactory):
    """Calls ``function(rank)``, a function of a test file, in two CPU processes that share batches.

    Returns what each of the two returned. They are told the file: `multiprocessing` would import the file under the
    name of a package that it is not in, and a fork of this process would inherit threads of torch.
    """
    import torch

    def on_two_devices(function) -> list:
        folder = tmp_path_factory.mktemp("devices")
        (folder / "device.py").write_text(_DEVICE, encoding="utf-8")
        results = [folder / f"{rank}.pt" for rank in (0, 1)]
        what = [function.__code__.co_filename, function.__name__]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        processes = [
            Fork(
                command_server,
                "device.py",
                [*what, str(rank), str(folder / "store"), str(result)],
                folder=str(folder),
                environment=environment,
            )
            for rank, result in enumerate(results)
        ]
        try:
            errors = [process.communicate(timeout=120)[1] for process in processes]
        finally:
            for process in processes:
                process.kill()
        assert [process.returncode for process in processes] == [0, 0], "\n".join(errors)
        return [torch.load(result, weights_only=True) for result in results]

    return on_two_devices


@pytest.fixture(scope="session")
def command_server_address(shared_folder: Path):
    """Where the process of `tests.command_server` listens, which all workers share; it lives until the session ends."""
    address = shared_folder / "commands"
    with FileLock(f"{address}.lock"):
        try:
            connection = connect(address)
        except OSError:
            start_server(address)
            connection = connect(address)
    with connection:
        yield address


@pytest.fixture(scope="session")
def command_server(command_server_address: Path):
    """A connection to the process that most commands are forks of."""
    with connect(command_server_address) as connection:
        yield connection


@pytest.fixture
def python_forks(command_server_address: Path, tmp_path: Path, monkeypatch):
    """Makes commands that this process starts as ``sys.executable -m ...`` forks, too."""
    python = tmp_path / "python"
    client = [sys.executable, str(Path(__file__).with_name("command_client.py")), str(command_server_address)]
    python.write_text(f'#!/bin/sh\nexec {shlex.join(client)} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def command(start):
    """Runs ``python -m fmcgan.<name>`` to its end; returns its exit code, output and error output."""

    def command(name: str, *arguments: str, code: int | None = 0, **options) -> subprocess.CompletedProcess:
        process = start(name, *arguments, **options)
        output, errors = process.communicate(timeout=400)
        assert code is None or process.returncode == code, f"exit code {process.returncode}\n{output}\n{errors}"
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    return command


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory):
    """A real browser; tests that need it are skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no Chromium with its chromedriver on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*CHROMIUM_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chromium = webdriver.Chrome(options, webdriver.ChromeService(driver, env=os.environ | {"LANG": "C.UTF-8"}))
    chromium.get("about:blank")  # not the page of a new tab, which asks for a good deal
    yield chromium
    chromium.quit()


_OTHERS = (
    *(None, True, False, 0, -1, 1.5, 10**400, -(2**63), 1e300, float("nan"), float("-inf"), "", "text", "\ud800"),
    *([], {}, [1], ["text"], {"a": 1}, {"_target_": "os.system"}, "${oc.env:HOME}", "<img src=x onerror=alert(1)>"),
)


def _damaged_bytes(content, rng):
    """Content with a few bits or bytes changed, cut short, repeated, or with something foreign in it."""
    content = bytearray(content)
    kind = rng.randrange(6)
    place = rng.randrange(len(content) + 1)
    if kind == 0:
        for _ in range(rng.choice((1, 1, 1, 5))):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del content[place:]
    elif kind == 2:
        del content[place : place + rng.choice((1, 10, 1000))]
    elif kind == 3:
        content[place:place] = rng.choice((b"\0", b"\xff\xfe", b"[" * 5000, b"{", b"9" * 5000, b"\n", b"&a [*a]"))
    elif kind == 4:
        content[place:place] = rng.randbytes(rng.choice((1, 30)))
    else:
        content += content[place:]
    return bytes(content)


def _damaged_node(node, rng):
    """A copy of nested lists and mappings in which one value, anywhere, is of another kind, gone, or one too many."""
    node = copy.deepcopy(node)
    places = list(_places(node))
    parent, key = rng.choice(places)
    kind = rng.randrange(5)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent[rng.choice(("x" * 10_000, "\ud800", "$x$<b>\n"))] = parent.pop(key)
    elif kind == 2:
        parent[key] = json.loads("[" * (depth := rng.choice((60, 900))) + "]" * depth)
    else:
        parent[key] = copy.deepcopy(rng.choice(_OTHERS))
    return node


def _places(node):
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from _places(node[key])


@pytest.fixture(scope="session")
def damaged_bytes():
    """Damages the bytes of a file by random numbers: always the same by the same ones."""
    return _damaged_bytes


@pytest.fixture(scope="session")
def damaged_node():
    """Damages one value of nested lists and mappings likewise."""
    return _damaged_node
