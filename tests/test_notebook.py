"""Each notebook runs from its first cell to its last, and its two files say the same."""

import json
import shlex
import sys
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
CLIENT = Path(__file__).with_name("command_client.py")

SMALL = "trainer.max_epochs=1 trainer.limit_train_batches=5 trainer.precision=32-true network.width=8"
PARAMETERS = {
    "demo": {
        "RECIPE": "experiment=minute trainer.limit_train_batches=10 network.width=8 metric=[]",
        "COMPARED": f"experiment=vanilla,wgan_gp {SMALL} n_critic=1 metric=[]",
        "SCORED": 200,
        "PARTS": "analysis=[bias,training]",
        "FOLDER": "demo",
    },
    "losses": {"SHORT": f"{SMALL} callback.evaluation.n=200", "MANIFOLD": "metric=[]", "FOLDER": "losses"},
    "insight": {"RUN": "", "SCORED": 200, "PARTS": "analysis=[bias]", "FOLDER": "insight"},
    "own_data": {
        "PHOTOS": "shapes",
        "RECIPE": f"experiment=minute {SMALL} metric=[]",
        "SCORED": 150,
        "METRICS": "metric=[memorisation] metric/feature=[random]",  # training a classifier of shapes takes a minute
        "PARTS": "analysis=[spectrum]",
        "FOLDER": "own_data",
    },
}
"""The settings of each notebook at a size for tests; those of `demo`, `losses` and `insight` also have ``ROOT``."""

MADE = {
    "demo": ("run/analysis/report.html", "sweep/comparison/samples.png"),
    "losses": ("sweep/comparison/grad_norm.png", "minimax/analysis/findings.json"),
    "insight": ("report.html", "control/findings.json"),
    "own_data": ("run/evaluation.json", "run/analysis/report.html"),
}


@pytest.fixture(scope="module")
def jupytext():
    return pytest.importorskip("jupytext")


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.process
def test_both_files_hold_the_same_cells(jupytext, name):
    script, notebook = (jupytext.read(NOTEBOOKS / f"{name}.{suffix}") for suffix in ("py", "ipynb"))
    assert [cell.source for cell in script.cells] == [cell.source for cell in notebook.cells]
    assert [cell.cell_type for cell in script.cells] == [cell.cell_type for cell in notebook.cells]


def test_every_notebook_is_tested():
    assert {path.stem for path in NOTEBOOKS.glob("*.py")} == set(PARAMETERS) == set(MADE)


@pytest.mark.parametrize("name", PARAMETERS)
def test_its_outputs_are_small_and_name_no_place(name):
    notebook = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
    assert len(notebook) < 1_500_000
    content = json.loads(notebook)
    outputs = [output for cell in content["cells"] for output in cell.get("outputs", ())]
    assert len(outputs) > 10
    assert not any(output["output_type"] == "error" for output in outputs)
    for output in outputs:
        output.get("data", {}).pop("image/png", None)  # whose characters would be anything
    everything = json.dumps(content)
    for place in ("home", "root", "work", "tmp"):
        assert f"/{place}/" not in everything
    assert "Traceback" not in everything


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.process
def test_it_runs(jupytext, mirror, command_server_address, tmp_path, monkeypatch, name):
    """Its commands are forks, as those of the other tests."""
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = jupytext.read(NOTEBOOKS / f"{name}.py")
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    given = dict(PARAMETERS[name])
    if "ROOT = " in parameters.source:
        given["ROOT"] = str(tmp_path / "data")
    assert set(given) == {line.partition(" =")[0] for line in parameters.source.splitlines()}
    parameters.source = "\n".join(f"{key} = {value!r}" for key, value in given.items())
    (imports,) = [cell for cell in notebook.cells if "python = sys.executable" in cell.source.splitlines()]
    client = shlex.join([sys.executable, str(CLIENT), str(command_server_address)])
    imports.source = imports.source.replace("python = sys.executable", f"python = {client!r}")
    monkeypatch.setenv("FMCGAN_DATA_MIRROR", mirror)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as in all child processes of the tests
    monkeypatch.chdir(tmp_path)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    for file in MADE[name]:
        assert (tmp_path / given["FOLDER"] / file).is_file()
