import logging
import sys

import pytest

from fmcgan.app import progress
from fmcgan.app.progress import Progress, format_duration


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test turns."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_there_is_a_line_now_and_then(clock, caplog, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    with caplog.at_level(logging.INFO), Progress(1000, "images", "drawing") as counts:
        for second in range(1, 101):
            clock[0] = second
            counts.update(5)
    assert caplog.messages == [
        "drawing 50 of 1,000 images, about 3 min left",
        "drawing 350 of 1,000 images, about 2 min left",
    ]


def test_what_is_quick_says_nothing(clock, caplog, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    with caplog.at_level(logging.INFO), Progress(10, "images") as counts:
        counts.update(10)
    assert caplog.messages == []
    assert capsys.readouterr().err == ""


def test_nothing_done_yet_is_no_division_by_zero(clock, caplog, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    with caplog.at_level(logging.INFO), Progress(10, "bytes") as counts:
        clock[0] = 11
        counts.update(0)
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3.2, "3 s"),
        (119, "119 s"),
        (150, "2 min"),
        (7200, "2.0 hours"),
        (86400 * 4, "4.0 days"),
        (1e15, "31,709,792.0 years"),
    ],
)
def test_durations_are_short(seconds, text):
    assert format_duration(seconds) == text
