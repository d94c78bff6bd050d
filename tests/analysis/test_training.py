import io
import json

import pytest
import torch
import yaml
from PIL import Image, ImageSequence

from fmcgan.analysis.alarms.run_facts import read_facts, read_frames
from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.training import TrainingAnalysis, epoch_table, metric_title
from fmcgan.app.errors import InvalidValueError
from fmcgan.metric.image_set import RealImages
from fmcgan.metric.results_store import Store
from tests.garments import garment_set

FD, RECALL = "fd_classifier_100_test", "recall_k3_classifier_100_test"


def rows():
    """Two epochs of 300 images each: rows of 200 and 100 images, then the scores."""
    found = []
    for place, (seen, epoch, seconds, loss) in enumerate(
        [(200, 0.6667, 4.0, 3.0), (300, 1.0, 6.0, 6.0), (500, 1.6667, 11.0, 1.0), (600, 2.0, 13.0, 4.0)]
    ):
        found.append(
            {
                "images_seen": seen,
                "epoch": epoch,
                "seconds": seconds,
                "loss/generator": loss,
                "loss/discriminator": 1.0,
                "gradient_norm/generator": 2.0,
                "gradient_norm/discriminator": 1.0,
                "logit/real": 1.0,
                "logit/fake": -1.0,
                "judged_real/real": 0.8,
                "judged_real/fake": 0.2,
                "learning_rate/generator": 1e-6 * (600 - seen),
                "images_per_second": 50.0,
            }
        )
        if place % 2:
            found.append(
                {"images_seen": seen, "epoch": epoch, "seconds": seconds}
                | {f"score/{FD}": 1.0 / seen, f"floor/{FD}": 0.001, f"score/{RECALL}": 0.5, f"floor/{RECALL}": 0.9}
            )
    return found


def write_run(folder, rows, config=None, finished=True, epochs=(0, 1, 2)):
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "config.yaml").write_text(yaml.safe_dump(config or {"trainer": {"max_epochs": 2}}))
    if finished:
        result = {"status": "finished", "images_seen": 600, "training_seconds": 13.0, "scores": {}}
        (folder / "result.json").write_text(json.dumps(result))
    for epoch in epochs:
        Image.new("L", (40, 30), 20 * epoch).save(folder / "samples" / f"epoch_{epoch:03d}.png")
    return folder


def subject(run, tmp_path):
    images = garment_set(torch.zeros(1, 1, 28, 28, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    return Subject(images, RealImages(images, images), None, run, 0, Store(tmp_path / "store"))


@pytest.fixture
def analyse(tmp_path):
    return lambda run, **options: TrainingAnalysis(**options).analyse(subject(run, tmp_path))


def test_a_finished_run_has_its_pictures_its_table_and_no_alarm(analyse, tmp_path):
    section = analyse(write_run(tmp_path / "run", rows(), epochs=(0, 1, 2, 10)))
    names = [picture.name for picture in section.pictures]
    assert names == ["timelapse", "stills", "scores", "losses", "logits", "gradient_norms", "speed"]
    assert all(picture.caption.endswith(".") and picture.alternative.endswith(".") for picture in section.pictures)
    film = Image.open(io.BytesIO(section.pictures[0].content))
    frames = [(frame.info["duration"], frame.convert("L").getpixel((0, 0))) for frame in ImageSequence.Iterator(film)]
    assert frames == [(500, 0), (500, 20), (500, 40), (2500, 200)]
    assert section.alarms == []
    assert section.effects == []
    assert section.values == {"epochs": 2.0, "images_seen": 600, "training_seconds": 13.0, "finished": True}
    assert section.introduction.startswith("2 epochs, 600 images seen and 0.2 minutes")
    json.dumps(section.values)


def test_a_single_epoch_is_written_so(analyse, tmp_path):
    one = [row for row in rows() if row["epoch"] <= 1]
    assert analyse(write_run(tmp_path / "run", one)).introduction.startswith("1 epoch, ")


def test_the_table_holds_means_over_images_and_the_scores_at_the_end():
    table = epoch_table(rows())
    columns = [column.name for column in table.columns]
    first, second = (dict(zip(columns, row, strict=True)) for row in table.rows)
    assert (first["epoch"], first["images_seen"]) == (1, 300)
    assert (second["epoch"], second["images_seen"]) == (2, 600)
    assert (first["seconds"], second["seconds"]) == (6.0, 7.0)
    assert first["generator_loss"] == pytest.approx((200 * 3 + 100 * 6) / 300)
    assert second["generator_loss"] == pytest.approx((200 * 1 + 100 * 4) / 300)
    assert (first[FD], second[FD], second[RECALL]) == (1 / 300, 1 / 600, 0.5)


def test_an_epoch_without_scores_or_generator_updates_has_gaps():
    some = [
        {"images_seen": 300, "epoch": 1.0, "seconds": 5.0, "loss/discriminator": 2.0},
        {"images_seen": 600, "epoch": 2.0, "seconds": 9.0, f"score/{FD}": 3.0},
    ]
    first, second = epoch_table(some).rows
    assert first == [1, 300, 5.0, None, 2.0, None, None, None]
    assert second == [2, 600, 4.0, None, None, None, None, 3.0]


def test_planted_faults_come_through_with_the_configuration(analyse, tmp_path):
    config = {"trainer": {"max_epochs": 40}, "training": {"generator_clip": 1.0, "discriminator_clip": None}}
    many = [row | {"images_seen": 100 * (i + 1)} for i, row in enumerate(rows()[0] for _ in range(20))]
    section = analyse(write_run(tmp_path / "run", many, config, finished=False))
    assert [alarm.name for alarm in section.alarms] == ["the training is not finished", "clipping is always active"]
    assert "of 40" in section.alarms[0].statement
    norms = next(picture for picture in section.pictures if picture.name == "gradient_norms")
    assert len(norms.content.axes) == 2  # before and after clipping
    assert "scores" not in [picture.name for picture in section.pictures]


OWN_CRITIC = """
from fmcgan.loss.wasserstein import Wasserstein


class Critic(Wasserstein):
    has_decision_boundary = False
"""


def test_a_critic_from_outside_raises_no_alarm(analyse, fit, tmp_path, monkeypatch):
    """The run records it: the name of the class says nothing."""
    (tmp_path / "my_critics.py").write_text(OWN_CRITIC)
    monkeypatch.syspath_prepend(tmp_path)
    judged = {"judged_real/real": 1.0, "judged_real/fake": 0.0}
    always = [row | {"images_seen": 100 * (i + 1)} | judged for i, row in enumerate(rows()[0] for _ in range(20))]
    for loss, divides in (("my_critics.Critic", False), ("fmcgan.loss.hinge.Hinge", True)):
        run = tmp_path / loss
        fit(f"loss._target_={loss}", "trainer.max_epochs=1", "trainer.limit_train_batches=1", folder=loss)
        section = analyse(write_run(run, always, yaml.safe_load((run / "config.yaml").read_text())))
        assert ("the discriminator is saturated" in [alarm.name for alarm in section.alarms]) == divides
        assert ("no decision boundary" in section.introduction) != divides
        logits = next(picture for picture in section.pictures if picture.name == "logits")
        assert len(logits.content.axes) == 1 + divides


def test_without_a_record_the_part_says_what_it_needs(analyse, tmp_path):
    with pytest.raises(NotApplicable, match="no training record; give run="):
        analyse(None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotApplicable, match=r"holds no training record \(metrics.jsonl\)"):
        analyse(tmp_path / "empty")
    (tmp_path / "empty" / "metrics.jsonl").write_text('{"images_seen": 1')
    with pytest.raises(NotApplicable, match="holds no training record"):
        analyse(tmp_path / "empty")


def test_what_a_killed_run_left_is_read_as_far_as_it_goes(analyse, tmp_path):
    run = write_run(tmp_path / "run", rows(), finished=False, epochs=(0, 2, 10))
    (run / "config.yaml").unlink()
    (run / "samples" / "epoch_003.png").write_bytes(b"half a pictu")
    (run / "samples" / "epoch_004.png.unfinished-1").write_bytes(b"")
    assert read_facts(run) == (None, None, True, None, False, 0.1)
    assert [frame.getpixel((0, 0)) for frame in read_frames(run / "samples")] == [0, 40, 200]
    assert [alarm.name for alarm in analyse(run).alarms] == ["the training is not finished"]


@pytest.mark.parametrize(("epochs", "names"), [((), []), ((5,), ["samples"]), ((0, 5), ["timelapse", "stills"])])
def test_few_sample_grids(analyse, tmp_path, epochs, names):
    section = analyse(write_run(tmp_path / "run", rows(), epochs=epochs))
    assert [picture.name for picture in section.pictures if picture.name in ("samples", "timelapse", "stills")] == names


def test_parameters_are_checked():
    for wrong in ({"most_frames": 1}, {"seconds_per_frame": 0}, {"most_megabytes": 0}):
        with pytest.raises(InvalidValueError, match=f"{next(iter(wrong))} must be"):
            TrainingAnalysis(**wrong)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("fd_classifier_10k_test", "Fréchet distance (classifier, 10k, test)"),
        ("class_fd_random_500_train", "Fréchet distance within classes (random, 500, train)"),
        ("label_cross_entropy_classifier_10k", "Label cross entropy (classifier, 10k)"),
        ("recall_k3_classifier_10k_test", "Recall (k3, classifier, 10k, test)"),
        ("fdx_10k", "Fdx 10k"),
        ("coverage", "Coverage"),
    ],
)
def test_metrics_have_titles(name, title):
    assert metric_title(name) == title
