"""The package as it is installed: from a wheel, in another folder, without the checkout."""

import itertools
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

CHECKOUT = Path(__file__).resolve().parents[1]
TEMPLATE = CHECKOUT / "examples" / "my_package"


@pytest.mark.process
def test_a_wheel_trains_from_another_folder(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(CHECKOUT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("fmcgan-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "fmcgan/configs/loss/wgan_gp.yaml" in names
    assert "fmcgan/py.typed" in names
    assert "fmcgan/metric/weights/classifier.pt" in names
    assert any(name.startswith("fmcgan/metric/measured/") for name in names)
    assert "fmcgan/pretrained/generator.safetensors" in names
    assert not [name for name in names if name.startswith(("outputs", "tests", "data/"))]
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = os.environ | {"PYTHONPATH": str(site), "CUDA_VISIBLE_DEVICES": ""}
    where = [sys.executable, "-c", "import fmcgan.app.config_dir as c; print(c.__file__, c.config_dir())"]
    shown = subprocess.run(where, cwd=elsewhere, env=environment, check=True, capture_output=True, text=True).stdout
    assert shown.split() == [str(site / "fmcgan" / "app" / "config_dir.py"), str(site / "fmcgan" / "configs")]
    train = ["experiment=smoke", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "hydra.run.dir=run"]
    script = [sys.executable, str(site / "bin" / "fmcgan-train"), *train]
    subprocess.run(script, cwd=elsewhere, env=environment, check=True, capture_output=True)
    assert (elsewhere / "run" / "result.json").is_file()
    draw = [sys.executable, str(site / "bin" / "fmcgan-generate"), "output=garments.npz", "n_per_class=2"]
    subprocess.run(draw, cwd=elsewhere, env=environment, check=True, capture_output=True)
    assert (elsewhere / "garments.npz").is_file()  # of the generator that travels with the package
    subprocess.run([*install, "--no-build-isolation", str(TEMPLATE)], check=True, capture_output=True)
    few = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "metric=[variation]", "hydra.run.dir=own"]
    script = [sys.executable, str(site / "bin" / "fmcgan-train"), "experiment=stripes", *few]
    subprocess.run(script, cwd=elsewhere, env=environment, check=True, capture_output=True)
    assert (elsewhere / "own" / "result.json").is_file()


def test_the_lock_names_one_version_of_every_dependency_within_its_bounds():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (CHECKOUT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    locked = [Requirement(line) for line in lines if not line.startswith("#")]
    versions = {each.name: str(each.specifier).removeprefix("==") for each in locked}
    assert all(str(each.specifier).startswith("==") and each.url is None for each in locked)
    assert not [version for version in versions.values() if Version(version).local]  # a build of torch, such as +cpu
    extras = [needed for extra, needed in project["optional-dependencies"].items() if extra != "ray"]  # not locked
    for each in map(Requirement, [*project["dependencies"], *itertools.chain(*extras)]):
        assert each.name == "fmcgan" or each.specifier.contains(versions[each.name]), each
