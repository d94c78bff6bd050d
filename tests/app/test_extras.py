"""`pip install fmcgan` alone trains, draws, evaluates and exports; what an extra brings is asked for in one line."""

import sys
import tomllib
from pathlib import Path

import pytest

from fmcgan import analyze
from fmcgan.analysis.clusters import Clusters
from fmcgan.analysis.spectrum import SpectrumAnalysis
from fmcgan.app.extras import MissingExtraError, require_extra
from fmcgan.data.garments import GARMENTS
from fmcgan.inference.onnx_file import write_onnx

PYPROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
BLOCKED = "sklearn", "umap", "numba", "onnx", "onnxscript", "mlflow", "wandb", "huggingface_hub", "optuna"
RUN_COMMANDS = f"""
import ast, runpy, sys
import lightning.pytorch  # which believes in the packages that pip lists
assert not sys.modules.keys() & {set(BLOCKED)}, "too late"
sys.modules |= dict.fromkeys({BLOCKED})
for name, *sys.argv[1:] in ast.literal_eval(sys.argv[1]):
    print("command", name, file=sys.stderr)
    try:
        runpy.run_module(f"fmcgan.{{name}}", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        message = [end.code] if isinstance(end.code, str) else []  # which Python prints
        print(*message, "exit code", file=sys.stderr, sep="\\n", end=" ")
        print(1 if message else end.code or 0, file=sys.stderr)
    else:
        print("exit code", 0, file=sys.stderr)
"""
IMPORT_ALL = f"""
import importlib, pkgutil, sys
import lightning.pytorch, fmcgan
assert not sys.modules.keys() & {set(BLOCKED)}, "too late"
sys.modules |= dict.fromkeys({BLOCKED})
for module in pkgutil.walk_packages(fmcgan.__path__, "fmcgan."):
    importlib.import_module(module.name)
"""


@pytest.fixture
def missing(monkeypatch):
    """Makes packages look as if they were not installed."""

    def missing(*packages):
        for package in packages:
            monkeypatch.setitem(sys.modules, package, None)

    return missing


def test_the_error_names_what_needs_it_and_the_extra(missing):
    require_extra("analysis", "maps", "sklearn")
    missing("sklearn")
    with pytest.raises(
        MissingExtraError, match=r'^maps needs the extra "analysis": pip install \'fmcgan\[analysis\]\'$'
    ):
        require_extra("analysis", "maps", "sklearn")


def test_every_extra_that_the_code_names_exists_and_dev_includes_it():
    assert {"analysis", "docs", "hub", "launchers", "onnx", "probe", "search", "trackers"} < set(EXTRAS)
    assert "fmcgan[analysis,docs,hub,launchers,onnx,probe,search,trackers]" in EXTRAS["dev"]


def test_a_part_costs_itself_only(missing):
    parts = {"clusters": object.__new__(Clusters), "spectrum": object.__new__(SpectrumAnalysis)}
    assert analyze._split_installed(parts) == (parts, {})
    missing("sklearn")
    installed, why = analyze._split_installed(parts)
    assert list(installed) == ["spectrum"]
    assert list(why) == ["clusters"]
    assert "fmcgan[analysis]" in why["clusters"]
    with pytest.raises(MissingExtraError, match=r"^analyze needs the extra"):
        analyze._split_installed({"clusters": parts["clusters"]})


def test_onnx_is_asked_for_before_anything_is_computed(missing, tmp_path):
    missing("onnxscript")
    with pytest.raises(MissingExtraError, match=r"fmcgan\[onnx\]"):
        write_onnx(tmp_path / "generator.onnx", None, GARMENTS, {})


def run_program(start, folder, text, *arguments):
    """Runs a program that blocks the extras; returns its exit code and error output."""
    (folder / "program.py").write_text(text, encoding="utf-8")
    process = start("program.py", *arguments)
    errors = process.communicate(timeout=400)[1]
    return process.returncode, errors


def test_every_module_imports_without_the_extras(start, tmp_path):
    code, errors = run_program(start, tmp_path, IMPORT_ALL)
    assert code == 0, errors


def test_every_command_runs_without_the_extras(start, tmp_path):
    commands = [
        ("train", "experiment=smoke", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "hydra.run.dir=run"),
        ("generate", "run=run", "n_per_class=1", "output=samples.npz"),
        ("export", "run=run", "output=generator.html", "format=html"),
        ("evaluate", "run=run", "n=200", "metric=[frechet]", "metric/feature=[classifier]", "bootstrap_samples=0"),
        ("compare", "runs=[run]"),
        ("analyze", "run=run", "n=200", "analysis=[spectrum,clusters]"),
        ("analyze", "run=run", "n=200", "analysis=[maps]"),
        ("export", "run=run", "output=generator.onnx", "format=onnx"),
        ("export", "run=run", "output=hub", "format=hub"),
        ("generate", "run=hf://owner/name"),
        ("train", "experiment=smoke", "logger=[mlflow]", "hydra.run.dir=other"),
        ("train", "-m", "experiment=smoke", "search=learning_rates", "hydra.sweep.dir=other"),
    ]
    _, output = run_program(start, tmp_path, RUN_COMMANDS, str(commands))
    codes = [line.split()[-1] for line in output.splitlines() if line.startswith("exit code")]
    assert codes == ["0"] * 6 + ["1"] * 6, output
    assert output.count("left out: clusters needs the extra") == 1
    assert output.count('error: analyze needs the extra "analysis"') == 1
    assert output.count('error: format=onnx needs the extra "onnx"') == 1
    assert output.count('error: format=hub needs the extra "hub"') == 1
    assert output.count('error: run=hf://owner/name needs the extra "hub"') == 1
    assert output.count('error: logger=mlflow needs the extra "trackers"') == 1
    assert output.count('error: hydra/sweeper=optuna needs the extra "search"') == 1
    assert not (tmp_path / "other").exists()
