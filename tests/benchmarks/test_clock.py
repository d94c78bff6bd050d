import time

import pytest
import torch

from benchmarks.clock import rates, ratios, spread, time_interleaved

CPU = torch.device("cpu")


def test_spread_is_median_and_quartiles():
    assert spread([5.0, 1.0, 3.0, 2.0, 4.0]) == {"median": 3.0, "quartiles": [2.0, 4.0], "n": 5}
    assert spread([7.0]) == {"median": 7.0, "quartiles": [7.0, 7.0], "n": 1}


def test_rates_and_ratios():
    assert rates(12, [1.0, 2.0, 4.0])["median"] == 6
    # The machine was ten times slower in the second round; the ratio does not see it.
    assert ratios([3.0, 30.0, 3.0], [1.0, 10.0, 1.0]) == {"median": 3.0, "quartiles": [3.0, 3.0], "n": 3}


def test_actions_take_turns_and_the_first_round_does_not_count(monkeypatch):
    now, order = [0.0], []
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def action(name, seconds):
        order.append(name)
        now[0] += seconds

    taken = time_interleaved({"a": lambda: action("a", 1), "b": lambda: action("b", 2)}, CPU, seconds=0, at_least=2)
    assert order == ["a", "b"] * 3
    assert taken == {"a": [1, 1], "b": [2, 2]}


@pytest.mark.parametrize(("seconds", "rounds"), [(0, 3), (10, 4)])
def test_no_round_begins_too_late(monkeypatch, seconds, rounds):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    taken = time_interleaved({"": lambda: now.__setitem__(0, now[0] + 2)}, CPU, seconds, at_least=3)
    assert len(taken[""]) == rounds
