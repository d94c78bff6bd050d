import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fmcgan.app import user_dirs
from fmcgan.app.errors import UserError


@pytest.fixture
def nobody(tmp_path, monkeypatch):
    """A user without a home folder, a name and an entry in the passwords, as in a container."""

    def unknown(user):
        raise KeyError(f"getpwuid(): uid not found: {user}")

    for name in ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", "FMCGAN_CACHE", "NUMBA_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    user_dirs.private_temp_dir.cache_clear()
    yield tmp_path
    user_dirs.private_temp_dir.cache_clear()
    os.environ.pop("USER", None)


def test_who_has_no_home_gets_a_private_one(nobody, caplog):
    with pytest.raises(RuntimeError):
        Path.home()
    user_dirs.ensure_home()
    assert Path.home().parent == nobody
    assert stat.S_IMODE(Path.home().stat().st_mode) == 0o700
    assert user_dirs.cache_dir() == Path.home() / ".cache" / "fmcgan"
    assert len(caplog.messages) == 1  # once
    assert "HOME=FOLDER" in caplog.messages[0]
    import getpass

    assert getpass.getuser() == str(os.getuid())


def test_a_home_that_is_not_there_counts_as_none(nobody, monkeypatch):
    monkeypatch.setenv("HOME", "/nonexistent")
    user_dirs.ensure_home()
    assert Path.home().parent == nobody


def test_a_home_that_is_there_is_left_alone(nobody, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("HOME", str(tmp_path))
    user_dirs.ensure_home()
    assert Path.home() == tmp_path
    assert caplog.messages == []


@pytest.mark.parametrize("trap", ["link", "file", "writable by all"])
def test_a_folder_that_another_user_may_have_laid_out_is_not_used(nobody, tmp_path, trap):
    """What lies in it may be code: numba keeps machine code there."""
    place = nobody / f"fmcgan-{os.getuid()}"
    if trap == "link":
        place.symlink_to(tmp_path)
    elif trap == "file":
        place.touch()
    else:
        place.mkdir()
        place.chmod(0o777)
    assert user_dirs.private_temp_dir() != place
    assert user_dirs.private_temp_dir().is_dir()


def test_the_private_folder_is_the_same_for_the_next_process(nobody):
    first = user_dirs.private_temp_dir()
    user_dirs.private_temp_dir.cache_clear()
    assert user_dirs.private_temp_dir() == first


@pytest.mark.parametrize("path", ["~no_such_user/data", "~no_such_user"])
def test_a_home_of_nobody_is_one_line(path):
    with pytest.raises(UserError, match=f"^{path}: "):
        user_dirs.expand_home(path)


@pytest.mark.parametrize(("writable", "named"), [(True, False), (False, True)])
def test_numba_gets_a_cache_where_it_would_find_none(nobody, monkeypatch, writable, named):
    monkeypatch.setenv("HOME", str(nobody))
    monkeypatch.setattr(os, "access", lambda *_: writable)
    user_dirs.set_numba_cache_dir()
    assert ("NUMBA_CACHE_DIR" in os.environ) == named
    if named:
        assert Path(os.environ.pop("NUMBA_CACHE_DIR")).parent == user_dirs.private_temp_dir()


def test_a_cache_that_the_user_named_for_numba_is_left_alone(nobody, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/mine")
    monkeypatch.setattr(os, "access", lambda *_: False)
    user_dirs.set_numba_cache_dir()
    assert os.environ["NUMBA_CACHE_DIR"] == "/mine"


AS_NOBODY = """
import os, pwd, sys
def unknown(user): raise KeyError(user)
pwd.getpwuid = unknown
sys.argv = ["generate", "n_per_class=1", "output=a.png"]
from fmcgan.generate import generate
from fmcgan.app.hydra_app import run_command
def task(config):
    generate(config)
    import fmcgan.report.analysis_page, fmcgan.comparison.comparison, fmcgan.metric.feature.inception
run_command("generate", task)
"""


@pytest.mark.process
def test_a_command_runs_without_home_name_and_environment(tmp_path):
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    call = [sys.executable, "-c", AS_NOBODY]
    ended = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("there is no home folder") == 1
    assert (tmp_path / "a.png").is_file()
