"""Two processes, one folder."""

import subprocess
import sys

import pytest

from fmcgan.app import run_dir, run_lock
from fmcgan.app.run_lock import RunningElsewhereError, is_locked, lock, locked, unlock, unlock_all

HOLD = """
import sys, time
from pathlib import Path
from fmcgan.app.run_lock import lock
lock(Path(sys.argv[1]))
print("locked", flush=True)
time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.wait()


@pytest.mark.process
def test_the_second_process_is_refused_and_learns_whose_the_folder_is(other, tmp_path):
    for _ in range(2):  # looking does not wipe the name out
        with pytest.raises(RunningElsewhereError, match=rf"process {other.pid} on \S+"):
            lock(tmp_path)
    assert is_locked(tmp_path)
    other.kill()
    other.wait()
    assert not is_locked(tmp_path)
    assert lock(tmp_path)  # what a killed process leaves is no hindrance
    unlock(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_process_may_ask_again_for_what_it_holds(tmp_path):
    assert lock(tmp_path)
    with locked(tmp_path):
        assert not is_locked(tmp_path)
    assert (tmp_path / run_dir.LOCK).exists()  # the inner one has not freed it
    unlock_all()
    assert list(tmp_path.iterdir()) == []
    unlock(tmp_path)  # nothing to free


def test_the_folder_may_be_deleted_meanwhile(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with locked(folder):
        (folder / run_dir.LOCK).unlink()
        folder.rmdir()
    assert not folder.exists()


@pytest.mark.parametrize(
    "error", [OSError(38, "Function not implemented"), OSError(37, "No locks"), NotImplementedError()]
)
def test_where_there_are_no_locks_a_run_starts_with_a_warning(tmp_path, monkeypatch, caplog, error):
    def acquire(*arguments, **options):
        raise error

    monkeypatch.setattr(run_lock.FileLock, "acquire", acquire)
    with locked(tmp_path):
        assert "this file system has no locks" in caplog.text
