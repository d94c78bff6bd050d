import logging

import pytest

from fmcgan.app.attempts import LONGEST, Attempts
from fmcgan.app.errors import UserError


def test_an_error_ends_its_part_only_and_the_command_at_the_end(caplog):
    attempts = Attempts()
    done = []
    for name, error in (
        ("a", ValueError("x\ny " * 200)),
        ("b", None),
        ("c", UserError("mend it")),
        ("d", MemoryError()),
    ):
        with attempts.of(name):
            if error:
                raise error
            done.append(name)
    assert done == ["b"]
    assert list(attempts.failed) == ["a", "c", "d"]
    assert attempts.failed["a"].startswith("ValueError: x y x y")
    assert len(attempts.failed["a"]) < LONGEST + 10
    assert attempts.failed["c"] == "mend it"
    assert attempts.failed["d"] == "MemoryError"
    traces = ["Traceback" in record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert traces == [True, False, True]  # what a user can mend needs none
    with pytest.raises(UserError, match=r"a: ValueError: x y .*; c: mend it; d: MemoryError"):
        attempts.end()


def test_what_is_passed_on_and_what_stops_everything():
    attempts = Attempts(UserError)
    for error in (UserError("x"), KeyboardInterrupt(), SystemExit(130)):
        with pytest.raises(type(error)), attempts.of("a"):
            raise error
    assert attempts.failed == {}
    attempts.end()
