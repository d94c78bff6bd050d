import json
from pathlib import Path

import pytest

from fmcgan.errors import UserError
from study import budget, speed


def row(seconds, images, **more):
    return {"seconds": seconds, "images_seen": images, "images_per_second": 1.0} | more


def test_rate_is_that_between_the_first_row_after_the_warm_up_and_the_last():
    score = {"seconds": 30.0, "images_seen": 99_999, "score/fd": 1.0}  # no row of training
    rows = [row(0.5, 10), row(4.9, 50), row(6.0, 1000), row(9.0, 1300), row(26.0, 9000), score]
    assert speed.rate(rows) == 8000 / 20
    with pytest.raises(UserError, match="too slow to be measured: 1 rows"):
        speed.rate(rows[:3])


class FakeTraining:
    """Writes what a short run leaves: each start of an arm at its next speed; bf16 is what auto becomes."""

    def __init__(self, **speeds):
        self.speeds = {arm: iter(each) for arm, each in speeds.items()}
        self.started = []

    def __call__(self, overrides):
        given = dict(each.split("=", 1) for each in overrides)
        arm, precision = given["experiment"], given["trainer.precision"]
        self.started.append((arm, precision))
        rate = next(self.speeds[arm])
        if rate is None:
            raise UserError("training ended with code 1")
        folder = Path(given["hydra.run.dir"])
        folder.mkdir()
        found = "bf16-mixed" if precision == "auto" else precision
        (folder / "environment.json").write_text(json.dumps({"precision": found}))
        rows = [row(0, 0), row(6, 100), row(26, 100 + 20 * rate)]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))


def test_arms_take_turns_and_keep_their_precision(tmp_path, record):
    page, train = tmp_path / "study.md", FakeTraining(smoke=[100, 80], recipe_b=[10, 20])
    assert speed.measure(["smoke", "recipe_b"], page, record, train) == []
    assert train.started == [
        ("smoke", "auto"),
        ("recipe_b", "auto"),
        ("smoke", "bf16-mixed"),
        ("recipe_b", "bf16-mixed"),
    ]
    measured = budget.speeds(page)
    assert measured["smoke"]["turns"] == [100, 80]
    assert (measured["smoke"]["budget"], measured["smoke"]["batch_size"]) == (600 * 90, 32)
    assert (measured["recipe_b"]["budget"], measured["recipe_b"]["precision"]) == (600 * 15, "bf16-mixed")


def test_an_arm_that_fails_neither_stops_the_others_nor_is_written(tmp_path, record):
    page, train = tmp_path / "study.md", FakeTraining(smoke=[None], recipe_b=[10, 20])
    assert speed.measure(["smoke", "recipe_b"], page, record, train) == ["smoke"]
    assert list(budget.speeds(page)) == ["recipe_b"]
    assert [arm for arm, _ in train.started] == ["smoke", "recipe_b", "recipe_b"]
