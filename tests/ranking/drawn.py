"""Submissions with a known answer, and a leaderboard of them."""

import torch

from fmcgan.data.info import DatasetInfo
from fmcgan.metric.value import Quantity
from fmcgan.ranking.board import BaselineRow, Board
from fmcgan.ranking.scoring import CopyLimits, Scored
from fmcgan.ranking.standing import ranked

NAME, N = "fd_quadrants_100_test", 100
INFO = DatasetInfo("blobs", ("ant", "bee", "cat"), size=16, flips=False)
LIMITS = CopyLimits(train=0.0, test=0.0, near=0.01)
IMAGES = torch.arange(3 * 256, dtype=torch.int64).remainder(256).to(torch.uint8).view(3, 1, 16, 16)


def scored(name, value, noise, better="lower", **copies) -> Scored:
    """A submission whose value of each resample is its value plus that of ``noise``."""
    ends = [value + min(noise), value + max(noise)]
    result = {"value": value, "interval": ends, "better": better, "floor": None, "n": N, "title": "Distance"}
    counts = {"train_copies": 0, "test_copies": 0, "near_copies": 0, **copies}
    resampled = value + torch.tensor(noise, dtype=torch.float64)
    return Scored(name, {NAME: result}, resampled, pairs=IMAGES.expand(2, 3, 1, 16, 16), examples=IMAGES, **counts)


SAME, OTHER = [-1.0, 0.0, 1.0] * 10, [1.0, 0.0, -1.0] * 10
"""Noise of the real images that two submissions share, and the opposite one."""


def drawn_board(name="<script>alert(1)</script>") -> Board:
    """A winner, a tie, near copies, a copier with the best value, and a submission that was not scored."""
    submissions = [
        scored("winner", 1.0, SAME),
        scored("second", 2.0, SAME),
        scored(name, 2.5, OTHER),
        scored("fourth", 9.0, SAME, near_copies=40),
        scored("copier", 0.5, SAME, train_copies=100, near_copies=100),
    ]
    return Board(
        value_name=NAME,
        quantity=Quantity("Distance", "lower", lowest=0),
        protocol="a distance",
        n=N,
        bootstrap_samples=30,
        places=ranked(submissions, NAME, 0.1, LIMITS, N),
        baselines=[
            BaselineRow("real", 0.1, {NAME: 0.1}, IMAGES),
            BaselineRow("uniform noise", 99.0, {NAME: 99.0}, IMAGES),
        ],
        failed={"damaged": "the .npz is damaged or cut short (<b>); write it again"},
        limits=LIMITS,
        info=INFO,
    )
