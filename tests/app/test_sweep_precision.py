"""One answer to `trainer.precision=auto` for a sweep: over processes, over starts, over damaged files."""

import pytest
from omegaconf import OmegaConf

from fmcgan.app import run_dir, sweep_precision
from fmcgan.app.sweep_precision import shared_precision


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    hydra = OmegaConf.create({"sweep": {"dir": str(tmp_path)}})
    monkeypatch.setattr(sweep_precision.HydraConfig, "get", lambda: hydra)
    monkeypatch.setattr(sweep_precision, "in_sweep", lambda: True)
    return tmp_path


def never() -> str:
    raise AssertionError("measured again")


def test_the_first_job_measures_and_later_ones_read(sweep):
    assert shared_precision("dcgan", lambda: "bf16-mixed") == "bf16-mixed"
    assert shared_precision("dcgan", never) == "bf16-mixed"
    assert shared_precision("mlp", lambda: "32-true") == "32-true"
    assert shared_precision("dcgan", never) == "bf16-mixed"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": "16-mixed"}', '{"a": 1}', "null"])
def test_a_damaged_file_is_measured_again(sweep, text):
    (sweep / run_dir.PRECISION).write_text(text, encoding="utf-8")
    assert shared_precision("dcgan", lambda: "32-true") == "32-true"
    assert shared_precision("dcgan", never) == "32-true"


def test_a_failed_measurement_is_no_answer(sweep):
    with pytest.raises(AssertionError):
        shared_precision("dcgan", never)
    assert shared_precision("dcgan", lambda: "32-true") == "32-true"


def test_a_single_run_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [shared_precision("dcgan", lambda each=each: each) for each in ("32-true", "bf16-mixed")] == [
        "32-true",
        "bf16-mixed",
    ]
    assert list(tmp_path.iterdir()) == []
