"""What the summary of a sweep says of a job."""

import pytest

from fmcgan.app.hydra_app import _state


@pytest.mark.parametrize(
    ("log", "state"),
    [
        (b"", "stopped"),
        (b"[x][ERROR] no\n", "FAILED"),
        (b"L\xe4ufe \xff\n[x][ERROR] no\n", "FAILED"),
        (b"\xff", "stopped"),
    ],
)
def test_a_log_in_any_encoding_tells_what_became_of_a_job(tmp_path, log, state):
    """Versions before wrote it in the encoding of the locale."""
    (tmp_path / "train.log").write_bytes(log)
    assert _state(tmp_path).strip() == state
