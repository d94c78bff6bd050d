"""The template of an own package, installed from its wheel: its tests, and every command with its options."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from fmcgan.app import plugins
from fmcgan.app.config_dir import config_dir
from fmcgan.app.option_tables import read_option
from fmcgan.app.run_files import read_evaluation, read_result

TEMPLATE = Path(__file__).resolve().parents[1] / "examples" / "my_package"
CONFIGS = TEMPLATE / "src" / "my_package" / "configs"
TRUST = "trust=[my_package]"
REFUSED = "it is refused, since a file must not choose the code that runs. If you trust this package, give"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder that the template is installed in, without a download."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder), str(TEMPLATE)], check=True, capture_output=True)
    return folder


@pytest.fixture
def installed(command, site):
    """Runs a command where the template is installed."""
    return lambda *words, **options: command(*words, env={"PYTHONPATH": str(site)}, **options)


@pytest.fixture
def searched(site, monkeypatch):
    """Makes the options of the installed template known in this process."""
    monkeypatch.syspath_prepend(site)
    plugins.plugins.cache_clear()
    plugins.register()
    yield
    plugins.plugins.cache_clear()


@pytest.mark.process
@pytest.mark.parametrize("page", [TEMPLATE / "README.md", TEMPLATE.parents[1] / "docs" / "extending.md"], ids=str)
def test_every_command_of_the_documents_composes(searched, page):
    commands = re.findall(r"^python -m fmcgan\.(\w+) ([^#\n]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) >= 2
    for name, words in commands:
        overrides = [word for word in shlex.split(words) if word != "--help"]
        if "--config-dir" not in words:  # tests/test_cli.py runs those
            with initialize_config_dir(str(config_dir()), version_base="1.3"):
                compose(name, overrides)


@pytest.mark.process
def test_its_own_tests_pass(site):
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}
    what = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(TEMPLATE), str(TEMPLATE)]
    done = subprocess.run(what, cwd=TEMPLATE, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_yaml_says_what_it_is_and_names_a_class_of_the_package():
    paths = sorted(CONFIGS.rglob("*.yaml"))
    assert len(paths) == 6
    for path in paths:
        option = read_option(path, path.parent.name)
        assert 5 < len(option.description) <= 120
        if path.parent.name != "experiment":
            assert [key.name for key in option.keys if not key.comment] == [], path
            assert "_target_: my_package." in path.read_text(encoding="utf-8")
    readme = (TEMPLATE / "README.md").read_text(encoding="utf-8")
    for path in paths:
        assert f"{path.parent.name}={path.stem}" in readme or f"{path.parent.name}=[{path.stem}]" in readme
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["fmcgan.plugins"] == {"my_package": "my_package.configs"}


def test_every_command_works_with_it(installed, tmp_path):
    shown = installed("train", "--help").stdout
    for option in ("smoothed", "zero_between", "small", "variation", "stripes"):
        assert f"\n  {option} " in shown
    assert "[my_package]" in shown
    wrong = installed("train", "loss=smothed", code=1).stderr
    assert "there is no loss=smothed. Did you mean smoothed?" in wrong

    small = ("trainer.max_epochs=1", "trainer.limit_train_batches=4", "callback.evaluation.n=100")
    for seed in (0, 1):
        installed("train", "experiment=stripes", *small, f"seed={seed}", f"hydra.run.dir=runs/{seed}")
    scores = read_result(tmp_path / "runs" / "0" / "result.json")["scores"]
    assert {"variation_100", "fd_classifier_100_test"} <= scores.keys()
    assert scores["variation_100"]["floor"] > 0

    few = ("metric=[variation]", "metric/feature=[]", "n=100", "bootstrap_samples=10")
    cases = {
        "evaluate": ("run=runs/0", *few),
        "generate": ("run=runs/0", "n_per_class=3", "output=samples.npz"),
        "analyze": ("run=runs/0", "analysis=[sample_check]", "n=100", "bootstrap_samples=10"),
        "export": ("run=runs/0", "output=stripes.safetensors"),
    }
    for name, words in cases.items():
        refused = installed(name, *words, code=1).stderr
        (line,) = refused.splitlines()
        assert line.startswith("error: the file's configuration has _target_ my_package."), refused
        assert f"{REFUSED} {TRUST}" in line
        installed(name, *words, TRUST)
    evaluation = read_evaluation(tmp_path / "runs" / "0" / "evaluation.json")
    assert evaluation["dataset"]["class_names"] == ["flat", "upright", "rising", "falling"]
    assert evaluation["scores"]["variation_100"]["better"] == "real"
    assert (tmp_path / "runs" / "0" / "analysis" / "report.html").is_file()
    installed("generate", "run=stripes.safetensors", "n_per_class=3", "output=again.npz", TRUST)
    with np.load(tmp_path / "samples.npz") as of_run, np.load(tmp_path / "again.npz") as of_file:
        assert of_run["images"].shape == (12, 16, 16)
        assert np.array_equal(of_run["images"], of_file["images"])
    compared = installed("compare", "runs=runs").stdout  # reads numbers only, so it needs no trust
    assert "variation_100" in compared

    resumed = ("ckpt_path=runs/1/checkpoints/last.ckpt", "trainer.max_epochs=2")
    refused = installed("train", *resumed, code=1).stderr
    assert f"experiment=stripes (an option of the package my_package; if you trust it, give {TRUST})" in refused
    installed("train", *resumed, TRUST)
    assert read_result(tmp_path / "runs" / "1" / "result.json")["images_seen"] == 2 * 4 * 64
    config = json.loads((tmp_path / "runs" / "1" / "environment.json").read_text(encoding="utf-8"))
    assert TRUST in config["overrides"]
    assert "trust" not in (tmp_path / "runs" / "1" / "config.yaml").read_text(encoding="utf-8")
