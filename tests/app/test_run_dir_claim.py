"""Whose folder a run's is: what is refused, what is replaced, what is left behind."""

import itertools
import shlex
import warnings
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from fmcgan.app import run_dir, run_dir_claim
from fmcgan.app.errors import UserError
from fmcgan.app.overrides import parse
from fmcgan.app.run_dir_claim import ClaimRunDir, holds_run, refuse_overwriting

SAVES = "callback: {checkpointing: {_target_: fmcgan.callback.checkpointing.Checkpointing}}"
SAVES_NOT = "callback: {metrics_logger: {_target_: fmcgan.callback.metrics_logger.MetricsLogger}}"
FILES = {
    "checkpoints/last.ckpt": "x",
    "checkpoints/best.ckpt": "x",
    "checkpoints/last.ckpt.unfinished-7": "x",
    "result.json": "{}",
    "metrics.jsonl": "{}\n",
    "config.yaml": SAVES,
    ".hydra/config.yaml": SAVES,
    "train.log": "x",
    "samples/epoch_000.png": "x",
}


@pytest.fixture(autouse=True)
def _leave(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    run_dir_claim.release(failed=False)
    ClaimRunDir.sweep_dir = None


def fill(folder, names, **changed):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(changed.get(name, FILES[name]), encoding="utf-8")


def test_what_a_new_run_would_lose_is_refused(tmp_path):
    """All 512 sets of files that a run may leave, whichever parts were off or were deleted since."""
    for number, names in enumerate(itertools.product((False, True), repeat=len(FILES))):
        there = {name for name, is_there in zip(FILES, names, strict=True) if is_there}
        folder = tmp_path / str(number)
        fill(folder, there)
        kept = {"checkpoints/last.ckpt", "checkpoints/best.ckpt", "result.json"} & there
        rows_are_all = "metrics.jsonl" in there and not {"config.yaml", ".hydra/config.yaml"} & there
        assert holds_run(folder) == bool(kept or rows_are_all), there


@pytest.mark.parametrize("config", ["config.yaml", ".hydra/config.yaml"])
def test_rows_of_a_run_that_keeps_no_checkpoints_are_all_there_is(tmp_path, config):
    fill(tmp_path, ["metrics.jsonl", config], **{config: SAVES_NOT})
    assert holds_run(tmp_path)
    (tmp_path / "metrics.jsonl").write_text("")
    assert not holds_run(tmp_path)


def test_the_refusal_says_how_to_resume_only_where_that_works(tmp_path):
    folder = tmp_path / "run"
    fill(folder, ["result.json"])
    with pytest.raises(UserError, match=r"^run already(?!.*ckpt_path).*hydra\.run\.dir"):
        refuse_overwriting(folder, None)
    fill(folder, ["checkpoints/last.ckpt"])
    for elsewhere in (None, str(tmp_path / "other" / "checkpoints" / "last.ckpt")):
        with pytest.raises(UserError, match=r"ckpt_path=run/checkpoints/last\.ckpt "):
            refuse_overwriting(folder, elsewhere)
    odd = tmp_path / "it's $here"
    fill(odd, ["checkpoints/last.ckpt"])
    with pytest.raises(UserError, match="ckpt_path=") as refused:
        refuse_overwriting(odd, None)
    pasted = str(refused.value)[str(refused.value).index("'ckpt_path=") :].partition(" resumes")[0]
    (override,) = shlex.split(pasted)
    assert parse(override).value() == "it's $here/checkpoints/last.ckpt"
    refuse_overwriting(folder, "run/checkpoints/last.ckpt")
    (tmp_path / "link").symlink_to(folder)
    refuse_overwriting(folder, "link/checkpoints/last.ckpt")


def config(run="run", devices=1, ckpt_path=None):
    hydra = {"run": {"dir": run}, "sweep": {"dir": run}, "overrides": {"hydra": []}}
    return OmegaConf.create({"hydra": hydra, "trainer": {"devices": devices}, "ckpt_path": ckpt_path})


def start(*arguments, **options):
    """As Hydra does: a refusal ends the process, a warning would be an error of the callback."""
    made = config(*arguments, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ClaimRunDir().on_run_start(made)
    return made


def tree(folder):
    return {str(path.relative_to(folder)): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def test_folders_of_one_second_are_distinct(tmp_path):
    OmegaConf.register_new_resolver("now", lambda pattern: "12-00-00", replace=True)
    names = []
    for _ in range(4):
        names.append(start("out/${now:%H}").hydra.run.dir)
        run_dir_claim.release(failed=False)
    sweep = config("out/${now:%H}")
    ClaimRunDir().on_multirun_start(sweep)
    assert [*names, sweep.hydra.sweep.dir] == ["out/12-00-00", *(f"out/12-00-00_{n}" for n in (2, 3, 4, 5))]
    assert sweep.hydra.overrides.hydra == ["hydra.sweep.dir=out/12-00-00_5"]
    assert start("out/mine").hydra.run.dir == "out/mine"  # a name that was typed is kept
    run_dir_claim.release(failed=False)
    assert start("out/mine").hydra.run.dir == "out/mine"


def test_the_refused_start_changes_nothing(tmp_path):
    fill(tmp_path / "run", FILES)
    before = tree(tmp_path)
    with pytest.raises(SystemExit, match=r"^error: run .*hydra\.run\.dir"):
        start()
    run_dir_claim.release(failed=True)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("written", [[], ["train.log"], [".hydra/config.yaml", "train.log"]])
def test_a_refused_start_leaves_no_folder_that_it_made(tmp_path, written):
    (tmp_path / "a").mkdir()
    start("a/b/c")
    fill(tmp_path / "a" / "b" / "c", written)
    run_dir_claim.release(failed=True)
    assert list(tree(tmp_path)) == ["a"]


@pytest.mark.parametrize("written", ["metrics.jsonl", "checkpoints/last.ckpt", "samples/epoch_000.png"])
def test_what_training_has_written_stays(tmp_path, written):
    start("a/b")
    fill(tmp_path / "a" / "b", [written, "train.log"])
    run_dir_claim.release(failed=True)
    assert (tmp_path / "a" / "b" / written).is_file()
    assert (tmp_path / "a" / "b" / "train.log").is_file()
    assert not (tmp_path / "a" / "b" / run_dir.LOCK).exists()


def test_a_folder_that_was_there_or_a_run_that_succeeded_stays(tmp_path):
    (tmp_path / "run").mkdir()
    start()
    run_dir_claim.release(failed=True)
    assert (tmp_path / "run").is_dir()
    start("quiet")  # without any callback it writes nothing
    run_dir_claim.release(failed=False)
    assert (tmp_path / "quiet").is_dir()
    start("fault")
    run_dir_claim.keep_files()  # a fault of the program
    run_dir_claim.release(failed=True)
    assert (tmp_path / "fault").is_dir()


def test_a_full_disk_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(run_dir_claim.shutil, "disk_usage", lambda folder: SimpleNamespace(free=16_000))
    with pytest.raises(SystemExit, match=r"^error: run .*16 kB"):
        start()
    run_dir_claim.release(failed=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", ["file/run", "file"])
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match=r"^error: \w[^\n]*file"):
        start(place)


def test_other_ranks_take_the_folder_of_the_first(tmp_path, monkeypatch):
    fill(tmp_path / "run", ["result.json"])
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(SystemExit, match=r"^error: run .*hydra\.run\.dir"):
        start(devices=2)  # left from an earlier launch
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    start(devices=2)
    with pytest.raises(SystemExit, match=r"^error: run .*hydra\.run\.dir"):
        start(devices=1)  # one device has no other ranks
