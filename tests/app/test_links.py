"""Nothing is written through links that somebody left in a folder."""

import os
import shutil

import pytest

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.links import RefuseLinks, refuse_links


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
    with pytest.raises(UserError, match=rf"{name} is a link to .*outside.* Remove the link"):
        refuse_links(run, *run_dir.WRITTEN)
    with pytest.raises(SystemExit, match=r"error: .* is a link to"):
        RefuseLinks().on_run_start(_config(run))
    with pytest.raises(SystemExit, match=r"error: .* is a link to"):
        RefuseLinks().on_multirun_start(_config(run.parent))


def test_links_that_stay_and_other_links_are_allowed(run, outside, tmp_path):
    (run / "checkpoints" / "best.ckpt").symlink_to("last.ckpt")
    (run / "samples" / "loop").symlink_to("loop")
    (run / "notes").symlink_to(outside)
    (tmp_path / "link").symlink_to(run)
    for folder in (run, tmp_path / "link", tmp_path / "nothing"):
        refuse_links(folder, *run_dir.WRITTEN)
        RefuseLinks().on_run_start(_config(folder))
        RefuseLinks().on_multirun_start(_config(folder.parent))


def _config(folder):
    from omegaconf import OmegaConf

    return OmegaConf.create({"hydra": {"run": {"dir": str(folder)}, "sweep": {"dir": str(folder)}}})


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
