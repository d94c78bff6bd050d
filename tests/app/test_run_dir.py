"""What a kill leaves in a run folder is removed; the files of the run and of others stay."""

from fmcgan.app import run_dir


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
