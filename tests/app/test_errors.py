import logging

import pytest

from fmcgan.app.errors import MAX_REASON, Failures, UserError


def test_an_error_ends_its_part_only_and_the_command_at_the_end(caplog):
    failures = Failures()
    done = []
    for name, error in (
        ("a", ValueError("x\ny " * 200)),
        ("b", None),
        ("c", UserError("mend it")),
        ("d", MemoryError()),
    ):
        with failures.catch(name):
            if error:
                raise error
            done.append(name)
    assert done == ["b"]
    assert list(failures.failed) == ["a", "c", "d"]
    assert failures.failed["a"].startswith("ValueError: x y x y")
    assert len(failures.failed["a"]) < MAX_REASON + 10
    assert failures.failed["c"] == "mend it"
    assert failures.failed["d"] == "MemoryError"
    traces = ["Traceback" in record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert traces == [True, False, True]  # what a user can mend needs none
    with pytest.raises(UserError, match=r"a: ValueError: x y .*; c: mend it; d: MemoryError"):
        failures.raise_if_any()


def test_what_is_passed_on_and_what_stops_everything():
    failures = Failures(UserError)
    for error in (UserError("x"), KeyboardInterrupt(), SystemExit(130)):
        with pytest.raises(type(error)), failures.catch("a"):
            raise error
    assert failures.failed == {}
    failures.raise_if_any()
