import pytest

from fmcgan.app.errors import InvalidValueError, UserError
from study import budget
from study.arms import BASE, TABLES


@pytest.mark.parametrize(
    ("images", "batch", "expected"),
    [
        (540_000, 64, (10, 844)),  # 8,437.5 batches; nine epochs of 937 hold 8,433 only
        (937 * 64 * 9, 64, (9, 937)),  # to the last batch of the ninth epoch
        (937 * 64 * 9 + 64, 64, (10, 843)),  # one batch more
        (60_000, 256, (1, 234)),
        (6_400, 64, (1, 100)),
        (10, 64, (1, 1)),
    ],
)
def test_epochs_and_batches_by_hand(images, batch, expected):
    assert budget.epochs_and_batches(images, batch) == expected


@pytest.mark.parametrize("batch", [32, 64, 256])
def test_no_limit_is_larger_than_an_epoch_and_the_budget_is_met_to_half_a_batch_an_epoch(batch):
    for images in range(batch, 2_000_000, 9_973):
        epochs, batches = budget.epochs_and_batches(images, batch)
        assert 1 <= batches <= 60_000 // batch
        assert abs(epochs * batches * batch - images) <= batch * (epochs + 1) / 2
        assert (epochs - 1) * (60_000 // batch) * batch < images + batch / 2  # no fewer epochs could hold it


def test_what_cannot_be_shared_out_is_refused():
    with pytest.raises(InvalidValueError, match="budget must be a whole number of at least 1, got 0"):
        budget.epochs_and_batches(0, 64)
    with pytest.raises(UserError, match=r"64.*65"):
        budget.epochs_and_batches(100, 65, available=64)


def test_measuring_again_replaces_the_named_arm_only(tmp_path, record):
    page = tmp_path / "docs" / "study.md"
    assert budget.read(page) == budget.speeds(page) == budget.records(page) == {}
    page.parent.mkdir()
    budget.values_file(page).write_text('{"runs": [1]}')
    budget.write_speed(page, "a", record, 600, turns=[900.0, 800.0], precision="bf16-mixed", batch_size=64)
    budget.write_speed(page, "b", record, 600, turns=[10.0], precision="32-true", batch_size=256)
    assert budget.speeds(page)["a"] == {
        "images_per_second": 850.0,
        "turns": [900.0, 800.0],
        "precision": "bf16-mixed",
        "batch_size": 64,
        "budget": 510_000,
        "record": record["date"],
    }
    later = record | {"date": "2027-01-01T00:00:00+00:00"}
    budget.write_speed(page, "a", later, 600, turns=[700.0], precision="32-true", batch_size=64)
    assert budget.speeds(page)["a"]["budget"] == 420_000
    assert budget.speeds(page)["b"]["budget"] == 6_000
    assert budget.records(page) == {record["date"]: record, later["date"]: later}
    budget.write_speed(page, "b", later, 600, turns=[20.0], precision="32-true", batch_size=256)
    assert budget.records(page) == {later["date"]: later}  # nothing refers to the first one any more
    assert budget.read(page)["runs"] == [1]


def test_a_damaged_file_is_told(tmp_path):
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(UserError, match=r"study\.json cannot be read"):
        budget.speeds(tmp_path / "study.md")


def test_speed_beside_the_base_follows_that_of_the_base(tmp_path, record):
    page, known = tmp_path / "study.md", {"precision": "32-true", "batch_size": 64}
    budget.write_speed(page, "study/hinge", record, 600, pairs=[[90.0, 100.0], [33.0, 30.0], [50.0, 50.0]], **known)
    assert budget.speeds(page) == {}  # beside what?
    for base in (800.0, 1000.0):
        budget.write_speed(page, BASE, record, 600, turns=[base], **known)
        assert budget.speeds(page)["study/hinge"]["images_per_second"] == base  # ratios 0.9, 1.1 and 1


def test_an_arm_with_overrides_is_as_fast_as_its_experiment(tmp_path, record):
    page, small = tmp_path / "study.md", TABLES["small_data"]
    known = {"precision": "bf16-mixed", "batch_size": 64}
    budget.write_speed(page, BASE, record, 600, turns=[1000.0], **known)
    budget.write_speed(page, "study/diff_augment", record, 600, pairs=[[450.0, 500.0]], **known)
    found = budget.speeds_of(small, page)
    assert found["study/base data.subset.n=500"]["budget"] == 40_000
    for arm in ("study/diff_augment data.subset.n=2000", "study/ada data.subset.n=10000"):  # the same work
        assert found[arm]["budget"] == 36_000
    assert not any("lecam" in arm for arm in found)
    assert budget.speeds_of(TABLES["ingredients"], page) == budget.speeds(page)
