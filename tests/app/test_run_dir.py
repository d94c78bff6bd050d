"""Files of a run folder: leftovers of a kill are removed, and nothing is written through links that lead out."""

import os
import shutil

import pytest
from omegaconf import OmegaConf

from fmcgan.app import run_dir, run_dir_claim
from fmcgan.app.errors import UserError
from fmcgan.app.run_dir import refuse_links
from fmcgan.app.run_dir_claim import ClaimRunDir


@pytest.fixture(autouse=True)
def _release():
    yield
    run_dir_claim.release(failed=False)
    ClaimRunDir.sweep_dir = None


def test_only_leftovers_of_the_run_go(tmp_path):
    names = ("loss.png", "config.yaml", "checkpoints/last.ckpt", "samples/epoch_001.png")
    leftovers = [f"{name}{run_dir.UNFINISHED}7" for name in names]
    kept = [*names, f"evaluation.json{run_dir.UNFINISHED}7", f"analysis/loss.png{run_dir.UNFINISHED}7"]
    for name in (*leftovers, *kept):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / f"result.json{run_dir.UNFINISHED}folder").mkdir()
    run_dir.remove_unfinished(tmp_path)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == set(kept)


def test_a_folder_that_is_not_there_needs_no_tidying(tmp_path):
    run_dir.remove_unfinished(tmp_path / "gone")


@pytest.fixture
def outside(tmp_path):
    """A folder that nobody may write into, with a file in it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "last.ckpt").write_text("mine", encoding="utf-8")
    yield folder
    assert [path.name for path in folder.iterdir()] == ["last.ckpt"]
    assert (folder / "last.ckpt").read_text(encoding="utf-8") == "mine"


@pytest.fixture
def run(tmp_path):
    """A run folder with all that a run writes."""
    folder = tmp_path / "run"
    for name in run_dir.WRITTEN:
        if "." in name[1:]:
            (folder / name).parent.mkdir(exist_ok=True, parents=True)
            (folder / name).touch()
        else:
            (folder / name / "below").mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", [*run_dir.WRITTEN, "samples/below/x", ".hydra/config.yaml", "tensorboard/below"])
@pytest.mark.parametrize("target", ["folder", "file", "missing", "relative"])
def test_a_link_that_leads_out_is_refused_by_name(run, outside, name, target):
    path = run / name
    if path.exists():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    targets = {"folder": outside, "file": outside / "last.ckpt", "missing": outside / "new"}
    path.symlink_to(targets.get(target, os.path.relpath(outside, path.parent)))
    with pytest.raises(UserError, match=rf"{name} .*outside"):
        refuse_links(run, *run_dir.WRITTEN)
    with pytest.raises(SystemExit, match=r"^error: .*outside"):
        ClaimRunDir().on_run_start(_config(run))
    with pytest.raises(SystemExit, match=r"^error: .*outside"):
        ClaimRunDir().on_multirun_start(_config(run.parent))


def test_links_that_stay_and_other_links_are_allowed(run, outside, tmp_path):
    (run / "checkpoints" / "best.ckpt").symlink_to("last.ckpt")
    (run / "samples" / "loop").symlink_to("loop")
    (run / "notes").symlink_to(outside)
    (tmp_path / "link").symlink_to(run)
    for folder in (run, tmp_path / "link", tmp_path / "nothing"):
        refuse_links(folder, *run_dir.WRITTEN)
        ClaimRunDir().on_multirun_start(_config(folder.parent))


def _config(folder):
    hydra = {"run": {"dir": str(folder)}, "sweep": {"dir": str(folder)}, "overrides": {"hydra": []}}
    return OmegaConf.create({"hydra": hydra})


def test_a_file_takes_the_place_of_a_link(tmp_path, outside):
    path = tmp_path / "result.json"
    path.symlink_to(outside / "last.ckpt")
    (tmp_path / f"result.json{run_dir.UNFINISHED}{os.getpid()}").symlink_to(outside / "last.ckpt")
    run_dir.write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert not path.is_symlink()


def test_undecodable_names_are_written_all_the_same(tmp_path):
    run_dir.write_atomically(tmp_path / "page", "L\udcc3\udca4ufe M\udcfcller \ud800")
    assert (tmp_path / "page").read_text(encoding="utf-8") == "Läufe M\\xfcller \\ud800"
