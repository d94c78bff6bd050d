import math

import pytest

from fmcgan.schedule.cosine import Cosine


def test_half_a_cosine_between_two_levels():
    schedule = Cosine(start_value=1.0, end_value=0.0, start_images=1000, end_images=4000)
    images = (0, 1000, 1750, 2000, 2500, 3000, 3250, 4000, 10**9)
    quarter = math.sqrt(0.5) / 2  # cos(pi / 4) / 2; at thirds, cos(pi / 3) / 2 = 1 / 4
    expected = [1.0, 1.0, 0.5 + quarter, 0.75, 0.5, 0.25, 0.5 - quarter, 0.0, 0.0]
    assert [schedule(seen) for seen in images] == pytest.approx(expected)


def test_a_burn_in_may_rise():
    schedule = Cosine(start_value=0.9, end_value=0.99, start_images=0, end_images=300)
    assert [schedule(seen) for seen in (0, 100, 150, 300)] == pytest.approx([0.9, 0.9225, 0.945, 0.99])


def test_it_is_torchs_cosine():
    from torch import nn, optim

    optimizer = optim.SGD(nn.Linear(1, 1).parameters(), lr=0.4)
    reference = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50, eta_min=0.1)
    schedule = Cosine(start_value=0.4, end_value=0.1, start_images=0, end_images=50)
    for step in range(51):
        assert schedule(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        reference.step()
