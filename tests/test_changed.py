"""`make test-changed` finds the tests of what has changed."""

import subprocess
from pathlib import Path

import pytest

from tests import changed


@pytest.mark.parametrize(
    ("name", "belonging"),
    [
        ("src/fmcgan/metric/frechet.py", ["metric/test_frechet.py", "metric/test_frechet_scores.py"]),  # by its user
        ("src/fmcgan/loss/hinge.py", ["loss/test_hinge.py"]),
        ("configs/loss/hinge.yaml", ["loss/test_hinge.py", "test_configs.py"]),
        ("configs/generate.yaml", ["test_configs.py", "test_generate.py"]),
        ("src/fmcgan/inference/html/template/page.js", ["inference/html/test_page.py"]),
        ("study/page.py", ["study/test_page.py"]),
        ("tests/data/conftest.py", ["data/test_archive.py"]),
        ("tests/hostile.py", ["app/test_escaping.py"]),
        ("tests/loss/test_hinge.py", ["loss/test_hinge.py"]),
        ("README.md", ["test_readme.py"]),
    ],
)
def test_the_tests_of_a_file(name, belonging):
    found = {path.relative_to("tests").as_posix() for path in changed.tests_of_all([name])}
    assert set(belonging) <= found
    assert len(found) < 40


def test_what_belongs_to_nothing_has_no_tests():
    assert changed.tests_of_all(["LICENSE", "src/fmcgan/no/such_file.py", "tests/test_that_was_deleted.py"]) == []


@pytest.mark.process
def test_changed_and_new_files_are_found(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-b", "main")
    for name in ("kept.py", "edited.py", "committed.py"):
        (tmp_path / name).write_text("1\n", encoding="utf-8")
    git("add", ".")
    git("commit", "-m", "first")
    git("switch", "-c", "branch")
    Path(tmp_path / "committed.py").write_text("2\n", encoding="utf-8")
    git("commit", "-am", "second")
    Path(tmp_path / "edited.py").write_text("2\n", encoding="utf-8")
    Path(tmp_path / "new.py").write_text("1\n", encoding="utf-8")
    monkeypatch.setattr(changed, "CHECKOUT", tmp_path)
    assert sorted(changed.changed_files()) == ["committed.py", "edited.py", "new.py"]
