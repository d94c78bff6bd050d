"""What an unmarked test must not do fails it."""

import lightning.pytorch  # noqa: F401 (before the run within the test, which forgets what it has imported)
import pytest
import torchvision.datasets  # noqa: F401

from tests import kinds

pytest_plugins = "pytester"

TESTS = """
import os, subprocess, time
import pytest

def work():
    end = time.process_time() + 0.5
    while time.process_time() < end:
        pass

def test_starts_a_process():
    subprocess.run(["true"])

def test_starts_one_and_hides_it():
    with pytest.raises(AssertionError):
        os.system("true")

def test_trains():
    from lightning.pytorch import Trainer
    Trainer(logger=False, enable_checkpointing=False, accelerator="cpu").fit(None)

def test_takes_too_long():
    work()

def test_takes_long_the_first_time_only(done=[]):
    done or work()
    done.append(1)

@pytest.mark.process
def test_is_marked():
    subprocess.run(["true"])
    work()

def test_uses_a_fixture(mirror):
    subprocess.run(["true"])

@pytest.fixture
def mirror():
    return "somewhere"
"""


@pytest.mark.process
def test_unmarked_tests_start_nothing_train_nothing_and_take_no_second(pytester, monkeypatch):
    monkeypatch.setattr(kinds, "SECONDS", 0.1)  # for a quicker test
    pytester.makepyfile(TESTS)
    ended = pytester.runpytest_inprocess("-p", "tests.kinds", "-p", "no:cacheprovider")
    ended.assert_outcomes(passed=3, failed=4)
    ended.stdout.fnmatch_lines(["a test without a marker of its kind takes *"])
    quick = pytester.runpytest_inprocess("-p", "tests.kinds", "-m", "not (process or data)")
    quick.assert_outcomes(passed=1, failed=4, deselected=2)
