import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from fmcgan.metric.results_store import Store

ARRAYS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2])}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache", shipped=tmp_path / "shipped")


def never():
    raise AssertionError("computed again")


def test_what_was_computed_comes_back_bit_for_bit_in_another_process_of_the_same_folder(store):
    store.arrays("key", lambda: ARRAYS)
    store.values("key", lambda: {"x": 0.1, "y": [None, 2]})
    again = Store(store.folder, store.shipped)
    found = again.arrays("key", never)
    assert all(torch.equal(found[name], ARRAYS[name]) and found[name].dtype == ARRAYS[name].dtype for name in ARRAYS)
    assert again.values("key", never) == {"x": 0.1, "y": [None, 2]}


def test_it_knows_which_arrays_it_has(store):
    assert not store.has("key")
    store.arrays("key", lambda: ARRAYS)
    assert store.has("key")
    assert not store.has("another")


def test_another_key_is_another_thing(store):
    assert store.values("one", lambda: {"x": 1}) == {"x": 1}
    assert store.values("two", lambda: {"x": 2}) == {"x": 2}


def test_a_damaged_file_is_measured_anew_with_a_warning(store, caplog):
    store.arrays("key", lambda: ARRAYS)
    (file,) = store.folder.iterdir()
    for damaged in (b"", b"PK\x03\x04 cut off", file.read_bytes()[: file.stat().st_size // 2]):
        file.write_bytes(damaged)
        with caplog.at_level(logging.WARNING):
            assert torch.equal(store.arrays("key", lambda: ARRAYS)["a"], ARRAYS["a"])
        assert "cannot be read" in caplog.text
        caplog.clear()
    assert torch.equal(Store(store.folder).arrays("key", never)["b"], ARRAYS["b"])


def test_values_of_another_key_are_not_taken_for_these(store):
    store.values("key", lambda: {"x": 1})
    (file,) = store.folder.iterdir()
    file.write_text(json.dumps({"key": "another", "values": {"x": 2}}))
    assert store.values("key", lambda: {"x": 1}) == {"x": 1}


def test_a_new_revision_of_the_code_measures_anew(store, monkeypatch):
    store.values("key", lambda: {"x": 1})
    monkeypatch.setattr("fmcgan.metric.results_store.REVISION", 2)
    assert store.values("key", lambda: {"x": 2}) == {"x": 2}


def test_what_is_shipped_is_read_and_never_written(store):
    store.values("key", lambda: {"x": 1})
    store.folder.rename(store.shipped)
    assert store.values("key", never) == {"x": 1}
    assert not store.folder.exists()


def test_a_folder_that_cannot_be_written_costs_a_warning_only(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        found = Store(tmp_path / "file" / "cache").values("key", lambda: {"x": 1})
    assert found == {"x": 1}
    assert "FMCGAN_CACHE" in caplog.text


def test_nan_is_refused_rather_than_kept(store):
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.values("key", lambda: {"x": float("nan")})


@pytest.mark.process
def test_several_threads_and_processes_at_once_leave_one_whole_file(store, tmp_path):
    def compute():
        return {"a": torch.full((300, 300), 7.0)}

    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: Store(store.folder).arrays("key", compute), range(8)):
            assert torch.equal(found["a"], compute()["a"])
    script = (
        "import sys, torch; from fmcgan.metric.results_store import Store\n"
        "found = Store(sys.argv[1]).arrays('other', lambda: {'a': torch.full((300, 300), 7.0)})\n"
        "assert (found['a'] == 7).all()"
    )
    both = [subprocess.Popen([sys.executable, "-c", script, str(store.folder)]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert sorted(path.suffix for path in store.folder.iterdir()) == [".npz", ".npz"]
    assert torch.equal(Store(store.folder).arrays("other", never)["a"], compute()["a"])


def test_the_folder_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("FMCGAN_CACHE", str(tmp_path))
    assert Store().folder == tmp_path
    monkeypatch.delenv("FMCGAN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Store().folder == tmp_path / "fmcgan"


def test_the_file_says_what_it_holds(store):
    store.values("the key in words", lambda: {"x": 1})
    (file,) = store.folder.iterdir()
    assert json.loads(file.read_text(encoding="utf-8")) == {"key": "the key in words", "values": {"x": 1}}
    assert os.path.sep not in file.name
