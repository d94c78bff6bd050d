import json
from pathlib import Path

import pytest

from fmcgan.app.errors import UserError
from study import budget, speed
from study.arms import ARMS, BASE, SAME_WORK, WITH_ALL_CORES
from study.hardware import GPU

pytestmark = pytest.mark.train  # composes or draws for seconds


def row(seconds, images, **more):
    return {"seconds": seconds, "images_seen": images, "images_per_second": 1.0} | more


def test_rate_is_that_between_the_first_row_after_the_warm_up_and_the_last():
    score = {"seconds": 30.0, "images_seen": 99_999, "score/fd": 1.0}  # no row of training
    rows = [row(0.5, 10), row(4.9, 50), row(6.0, 1000), row(9.0, 1300), row(26.0, 9000), score]
    assert speed.rate(rows) == 8000 / 20
    with pytest.raises(UserError, match=r"\b1 rows"):
        speed.rate(rows[:3])


class FakeTraining:
    """Writes what short runs leave: each start of an arm at its next speed; bf16 is what auto becomes."""

    def __init__(self, **speeds):
        self.speeds = {arm.replace("study_", "study/"): iter(each) for arm, each in speeds.items()}
        self.started = []
        self.accelerators = set()
        self.rows_every = set()

    def __call__(self, runs):
        given = [dict(each.split("=", 1) for each in overrides) for overrides in runs]
        self.started.append([(each["experiment"], each["trainer.precision"]) for each in given])
        self.accelerators |= {each["trainer.accelerator"] for each in given}
        self.rows_every |= {each["callback.metrics_logger.every_n_batches"] for each in given}
        for each in given:
            self.run(each["experiment"], each["trainer.precision"], Path(each["hydra.run.dir"]))

    def run(self, arm, precision, folder):
        rate = next(self.speeds[arm])
        if rate is None:
            raise UserError("training ended with code 1")
        folder.mkdir()
        found = "bf16-mixed" if precision == "auto" else precision
        (folder / "environment.json").write_text(json.dumps({"precision": found}))
        rows = [row(0, 0), row(6, 100), row(26, 100 + 20 * rate)]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))


def test_arms_take_turns_and_keep_their_precision(tmp_path, record):
    page, train = tmp_path / "study.md", FakeTraining(smoke=[100, 80], quick=[10, 20])
    assert speed.measure(["smoke", "quick"], page, record, train) == []
    assert train.started == [
        [("smoke", "auto")],
        [("quick", "auto")],
        [("smoke", "bf16-mixed")],
        [("quick", "bf16-mixed")],
    ]
    measured = budget.speeds(page)
    assert measured["smoke"]["turns"] == [100, 80]
    assert (measured["smoke"]["budget"], measured["smoke"]["batch_size"]) == (600 * 90, 32)
    assert (measured["quick"]["budget"], measured["quick"]["precision"]) == (600 * 15, "bf16-mixed")


def test_an_arm_that_changes_the_base_is_measured_beside_it(tmp_path, record):
    """Alone the base makes 1,000, later 1,200; the machine is half as fast in the second turn that both share."""
    train = FakeTraining(study_base=[1000, 700, 1200, 350], study_hinge=[560, 294])
    page = tmp_path / "study.md"
    assert speed.measure(["study/hinge", "study/base"], page, record, train) == []
    base, hinge = ("study/base", "bf16-mixed"), ("study/hinge", "bf16-mixed")
    assert train.started == [[("study/base", "auto")], [hinge, base], [base], [base, hinge]]
    measured = budget.speeds(page)["study/hinge"]
    assert measured["pairs"] == [[560, 700], [294, 350]]
    assert measured["images_per_second"] == pytest.approx(1100 * 0.82)  # 0.8 and 0.84
    assert measured["budget"] == 600 * 902


@pytest.mark.train  # likewise
def test_large_networks_take_turns_with_the_base_and_same_work_is_not_measured(tmp_path, record):
    train = FakeTraining(study_base=[1000, 800, 1000, 800], study_r3=[240, 160])
    page = tmp_path / "study.md"
    assert speed.measure(["study/base", "study/r3", "study/betas"], page, record, train) == []
    r3, base = [("study/r3", "bf16-mixed")], [("study/base", "bf16-mixed")]
    assert train.started == [[("study/base", "auto")], r3, base, base, base, r3]
    measured = budget.speeds(page)
    assert measured["study/r3"]["pairs"] == [[240, 800], [160, 800]]
    assert measured["study/r3"]["images_per_second"] == 1000 * 0.25
    assert (measured["study/betas"]["pairs"], measured["study/betas"]["budget"]) == ([], 600_000)


@pytest.mark.train  # for the seconds of composing
@pytest.mark.train
def test_an_arm_of_the_same_work_as_another_has_its_speed_now_and_when_that_is_measured_again(tmp_path, record, caplog):
    train = FakeTraining(study_base=[1000, 700, 1000, 700], study_together=[560, 560])
    page, same = tmp_path / "study.md", ["study/bilinear_refine"]
    assert speed.measure(["study/base"], page, record, FakeTraining(study_base=[1000, 1000])) == []
    assert speed.measure(same, page, record, train) == same
    assert "measure study/together too" in caplog.text
    assert speed.measure(["study/base", "study/together", *same], page, record, train) == []
    assert budget.speeds(page)["study/bilinear_refine"]["images_per_second"] == pytest.approx(800)
    again = FakeTraining(study_base=[1000, 1000], study_together=[500, 500])
    assert speed.measure(["study/together"], page, record, again) == []
    assert budget.speeds(page)["study/bilinear_refine"]["budget"] == 600 * 500


def test_on_a_gpu_every_arm_takes_turns_with_the_base_for_five_minutes_each(tmp_path, record):
    train = FakeTraining(study_base=[1000, 800, 1000, 800], study_hinge=[400, 400])
    page = tmp_path / "study.md"
    assert speed.measure(["study/base", "study/hinge"], page, record, train, GPU) == []
    assert all(len(runs) == 1 for runs in train.started)
    assert (train.accelerators, train.rows_every) == ({"gpu"}, {"20"})
    assert budget.speeds(page)["study/hinge"]["budget"] == 300 * 500


def test_an_arm_beside_a_base_of_unknown_speed_is_refused(tmp_path, record, caplog):
    assert speed.measure(["study/hinge"], tmp_path / "study.md", record, FakeTraining()) == ["study/hinge"]
    assert "measure study/base too" in caplog.text


def test_all_arms_but_the_base_are_measured_against_it_and_nothing_else_is():
    relative = {arm for arm in (*ARMS, "smoke", "quick") if speed.is_relative_to_base(arm)}
    in_other_tables = {"study/ada", "study/unconditional", "study/shuffled"}
    assert {*WITH_ALL_CORES, *SAME_WORK} - in_other_tables < relative
    assert relative == {*ARMS} - {BASE}


def test_an_arm_that_fails_neither_stops_the_others_nor_is_written(tmp_path, record):
    page, train = tmp_path / "study.md", FakeTraining(smoke=[None], quick=[10, 20])
    assert speed.measure(["smoke", "quick"], page, record, train) == ["smoke"]
    assert list(budget.speeds(page)) == ["quick"]
    assert [arm for [(arm, _)] in train.started] == ["smoke", "quick", "quick"]
