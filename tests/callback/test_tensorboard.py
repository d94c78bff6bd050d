"""What TensorBoard shows of a run that was killed, and what becomes of it where it cannot write."""

import csv
import io
import re
import shutil
import threading

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.api_pb2 import STATUS_SUCCESS
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from fmcgan.app.errors import UserError
from fmcgan.app.run_files import read_metrics
from fmcgan.callback.evaluation import Evaluation
from fmcgan.callback.samples import SampleGrid
from fmcgan.callback.tensorboard import TensorBoard, hparams, tag_of
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.frechet import FrechetDistance


class Kill(Callback):
    """Ends the run without a word in the third epoch, when rows have been written since the last checkpoint."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.current_epoch == 2 and batch_idx == 5:
            raise KeyError("killed")


def shown(folder):
    events = EventAccumulator(str(folder / "tensorboard"), {"images": 0, "scalars": 0, "tensors": 0})
    events.Reload()
    return events


@pytest.fixture
def scored(tmp_path, monkeypatch):
    monkeypatch.setenv("FMCGAN_CACHE", str(tmp_path / "cache"))
    frechet = FrechetDistance({"classifier": ClassifierFeatures()})
    return lambda: [SampleGrid(), Evaluation({"frechet": frechet}, n=50)]


def logged(tmp_path):
    few = ("trainer.max_epochs=4", "trainer.limit_train_batches=7", "callback.metrics_logger.every_n_batches=2")
    return [*few, "logger=[tensorboard]", f"logger.tensorboard.save_dir={tmp_path / 'run'}"]


def test_json_csv_and_tensorboard_hold_the_same_rows_also_of_a_killed_run(fit, scored, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(KeyError):
        fit(*logged(tmp_path), extra_callbacks=[*scored(), Kill()])
    last = folder / "checkpoints" / "last.ckpt"
    saved = torch.load(last, weights_only=True)["images_seen"]
    assert read_metrics(folder / "metrics.jsonl")[-1]["images_seen"] > saved == 2 * 7 * 32  # to be written again
    fit(*logged(tmp_path), ckpt_path=last, extra_callbacks=scored())
    rows = read_metrics(folder / "metrics.jsonl")
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    events = shown(folder)
    names = {name for row in rows for name in row} - {"images_seen", "epoch", "seconds"}
    assert {"score/fd_classifier_50_test", "floor/fd_classifier_50_test", "loss/generator"} <= names
    for name in names:
        values = [(row["images_seen"], row[name]) for row in rows if name in row]
        assert values == [(int(row["images_seen"]), float(row[name])) for row in table if row[name]], name
        points = [(event.step, event.value) for event in events.Scalars(tag_of(name))]
        assert points == [(images, pytest.approx(value, rel=1e-6)) for images, value in values], name
    assert [row["images_seen"] for row in rows if "score/fd_classifier_50_test" in row] == [224, 448, 672, 896]
    assert [event.step for event in events.Images("samples")] == [0, 224, 448, 672, 896]
    assert "config/text_summary" in events.Tags()["tensors"]


def test_losses_scores_and_norms_come_first():
    names = ["epoch", "floor/x", "gradient_norm/generator", "hp/x", "learning_rate/generator", "logit/real"]
    names += ["loss/generator", "images_per_second", "score/x", "evaluation_share"]
    tags = sorted(map(tag_of, names))
    assert tags[:4] == ["1_loss/generator", "2_score/x", "3_gradient_norm/generator", "4_real_images/x"]
    assert tags[4:] == [
        "epoch",
        "evaluation_share",
        "hp/x",
        "images_per_second",
        "learning_rate/generator",
        "logit/real",
    ]


def test_hparams_hold_the_recipe_and_no_targets():
    params = {"seed": 3, "loss._target_": "fmcgan.loss.hinge.Hinge", "network.width": 16, "data.root": "x", "lr": None}
    params |= {
        "data._target_": "fmcgan.data.synthetic.SyntheticData",
        "penalty._target_": "fmcgan.penalty.none.NoPenalty",
    }
    params |= {"network.generator._target_": "fmcgan.network.dcgan.Generator", "n_critic": 1}
    typed = [
        "loss=hinge",
        "seed=3",
        "network.width=16",
        "name=mine",
        "data.root=x",
        "hydra.run.dir=y",
        "+new.key=[1,2]",
    ]
    recipe = "loss=hinge network.width=16 +new.key=[1,2]"
    expected = {"recipe": recipe, "seed": 3, "data": "synthetic", "network": "dcgan", "penalty": "none"}
    assert hparams(params, typed) == expected | {"loss": "hinge", "network.width": 16, "new.key": "[1,2]"}
    assert hparams(params, [])["recipe"] == "default"
    assert hparams(params, []).keys() <= hparams(params, typed).keys()


@pytest.fixture
def content_of(tmp_path):
    """The data of a plugin in the summaries of a folder, by tag."""

    def read(plugin):
        events = shown(tmp_path / "run")
        return {tag: events.SummaryMetadata(tag).plugin_data.content for tag in events.PluginTagToContent(plugin)}

    return read


def test_hparams_and_custom_scalars_are_what_tensorboard_reads(tmp_path, content_of):
    board = TensorBoard(tmp_path / "run", name="tensorboard", version="", default_hp_metric=False)
    board.add_config({"seed": 5, "loss._target_": "fmcgan.loss.hinge.Hinge"}, "text", {"hp/fd_10k": 0.0}, 0)
    board.log_metrics({"hp/fd_10k": 1.5, "score/fd_10k": 2.5}, 640)
    board.finalize("success")
    board.finish([])
    found = {tag: HParamsPluginData.FromString(each) for tag, each in content_of("hparams").items()}
    experiment, start, end = (
        found[f"_hparams_/{name}"] for name in ("experiment", "session_start_info", "session_end_info")
    )
    assert [each.name for each in experiment.experiment.hparam_infos] == [
        "recipe",
        "seed",
        "data",
        "network",
        "loss",
        "penalty",
    ]
    assert [each.name.tag for each in experiment.experiment.metric_infos] == ["hp/fd_10k"]
    values = start.session_start_info.hparams
    assert values["loss"].string_value == "hinge"
    assert values["seed"].number_value == 5
    assert start.session_start_info.group_name == "run"
    assert end.session_end_info.status == STATUS_SUCCESS
    events = shown(tmp_path / "run")
    assert [(each.step, each.value) for each in events.Scalars("hp/fd_10k")] == [(640, 1.5)]  # no zero before it
    (layout,) = events.Tensors("custom_scalars__config__")
    charts = {
        chart.title: list(chart.multiline.tag)
        for category in Layout.FromString(layout.tensor_proto.string_val[0]).category
        for chart in category.chart
    }
    assert charts["fd_10k"] == ["^2_score/fd_10k$", "^4_real_images/fd_10k$"]
    for tag in charts["losses"]:
        assert re.match(tag, tag_of("loss/generator")) or re.match(tag, tag_of("loss/discriminator"))


@pytest.mark.parametrize("what", ["tensorboard", ""])
def test_a_folder_deleted_while_training_ends_the_run_with_one_line(fit, tmp_path, capfd, what):
    class Delete(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if batch_idx == 4:
                shutil.rmtree(tmp_path / "run" / what)

    with pytest.raises(UserError, match=r"cannot write \S+run/\S+: No such file or directory"):
        fit(*logged(tmp_path), extra_callbacks=[Delete()])
    assert "Traceback" not in "".join(capfd.readouterr())


def test_errors_of_other_threads_are_still_reported(tmp_path, capfd):
    TensorBoard(tmp_path)
    thread = threading.Thread(target=lambda: 1 / 0, name="mine")
    thread.start()
    thread.join()
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_pictures_may_be_in_colour(tmp_path):
    board = TensorBoard(tmp_path)
    colours = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    for step, picture in enumerate((colours, colours[..., 0])):
        board.add_image("samples", picture, step)
    board.finalize("success")
    events = EventAccumulator(board.log_dir)
    events.Reload()
    found = [np.asarray(Image.open(io.BytesIO(each.encoded_image_string))) for each in events.Images("samples")]
    assert np.array_equal(found[0], colours)
    assert np.array_equal(found[1].reshape(4, 5, -1)[..., 0], colours[..., 0])
