"""The notebook runs from its first cell to its last, and its two files say the same."""

import json
import shlex
import sys
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
CLIENT = Path(__file__).with_name("command_client.py")


@pytest.fixture(scope="module")
def jupytext():
    return pytest.importorskip("jupytext")


@pytest.mark.process
def test_both_files_hold_the_same_cells(jupytext):
    script, notebook = (jupytext.read(NOTEBOOKS / f"demo.{suffix}") for suffix in ("py", "ipynb"))
    assert [cell.source for cell in script.cells] == [cell.source for cell in notebook.cells]
    assert [cell.cell_type for cell in script.cells] == [cell.cell_type for cell in notebook.cells]


def test_its_outputs_are_small_and_name_no_place():
    notebook = (NOTEBOOKS / "demo.ipynb").read_text(encoding="utf-8")
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


@pytest.mark.process
def test_it_runs(jupytext, mirror, command_server_address, tmp_path, monkeypatch):
    """Its commands are forks, as those of the other tests."""
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = jupytext.read(NOTEBOOKS / "demo.py")
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    parameters.source = "\n".join(
        [
            'RECIPE = "experiment=minute trainer.limit_train_batches=10 network.width=8 metric=[]"',
            'COMPARED = "experiment=vanilla,wgan_gp trainer.max_epochs=1 trainer.limit_train_batches=5 n_critic=1"',
            'COMPARED += " network.width=8 metric=[]"',
            "SCORED = 200",
            'PARTS = "analysis=[bias,training]"',
            'FOLDER = "demo"',
            f"ROOT = {str(tmp_path / 'data')!r}",
        ]
    )
    (imports,) = [cell for cell in notebook.cells if "python = sys.executable" in cell.source.splitlines()]
    client = shlex.join([sys.executable, str(CLIENT), str(command_server_address)])
    imports.source = imports.source.replace("python = sys.executable", f"python = {client!r}")
    monkeypatch.setenv("FMCGAN_DATA_MIRROR", mirror)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as in all child processes of the tests
    monkeypatch.chdir(tmp_path)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    assert (tmp_path / "demo" / "run" / "analysis" / "report.html").is_file()
    assert (tmp_path / "demo" / "sweep" / "comparison" / "samples.png").is_file()
