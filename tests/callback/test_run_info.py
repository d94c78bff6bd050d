import json

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fmcgan.callback.evaluation import Evaluation
from fmcgan.callback.run_info import RunInfo
from fmcgan.callback.samples import SampleGrid
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.frechet import FrechetDistance


@pytest.fixture
def run(fit, tmp_path):
    """A run with TensorBoard, grids and scores."""
    frechet = FrechetDistance({"classifier": ClassifierFeatures()})
    logger = ["logger=[tensorboard]", f"logger.tensorboard.save_dir={tmp_path / 'run'}"]
    scored = [SampleGrid(), Evaluation({"frechet": frechet}, n=50)]
    trainer, gan = fit("trainer.max_epochs=2", "trainer.limit_train_batches=5", *logger, extra_callbacks=scored)
    (record,) = (callback for callback in trainer.callbacks if isinstance(callback, RunInfo))
    return tmp_path / "run", record.write_result(trainer, gan), gan


def test_what_stands_in_tensorboard(run):
    folder, result, _ = run
    events = EventAccumulator(str(folder / "tensorboard"), {"images": 0, "scalars": 0, "tensors": 0})
    events.Reload()
    scalars = set(events.Tags()["scalars"])
    assert scalars >= {
        "1_loss/discriminator",
        "1_loss/adversarial",
        "1_loss/penalty",
        "1_loss/generator",
        "logit/real",
        "logit/fake",
        "judged_real/real",
        "judged_real/fake",
        "3_gradient_norm/generator",
        "3_gradient_norm/discriminator",
        "learning_rate/generator",
        "learning_rate/discriminator",
        "images_per_second",
        "2_score/fd_classifier_50_test",
        "4_real_images/fd_classifier_50_test",
        "hp/fd_classifier_50_test",
    }
    assert [event.step for event in events.Scalars("1_loss/generator")] == [160, 320]  # images seen
    assert [event.step for event in events.Images("samples")] == [0, 160, 320]
    final = events.Scalars("hp/fd_classifier_50_test")[-1].value
    assert final == pytest.approx(result["scores"]["fd_classifier_50_test"]["value"], rel=1e-5)
    text = events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "_target_: fmcgan.network.dcgan.Generator" in text


def test_result(run):
    folder, result, gan = run
    assert json.loads((folder / "result.json").read_text(encoding="utf-8")) == result
    assert result["images_seen"] == 320
    assert result["epochs"] == 2
    assert result["images_per_second"] == pytest.approx(320 / result["training_seconds"], rel=0.01)
    assert result["parameters"]["generator"] == sum(p.numel() for p in gan.generator.parameters())
    assert set(result["final"]) == {
        "loss/generator",
        "loss/discriminator",
        "gradient_norm/generator",
        "gradient_norm/discriminator",
    }
    for score in result["scores"].values():
        assert set(score) >= {"value", "interval", "floor", "better", "n", "by_class"}


def test_configuration_is_whole_and_resolved(run):
    folder, _, _ = run
    text = (folder / "config.yaml").read_text(encoding="utf-8")
    assert "${" not in text
    assert yaml.safe_load(text)["data"]["batch_size"] == 32


def test_an_earlier_result_goes_when_training_goes_on(run, fit, tmp_path):
    folder, _, _ = run
    fit("trainer.max_epochs=3", "trainer.limit_train_batches=5", ckpt_path=folder / "checkpoints" / "last.ckpt")
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_finished_run_is_scored_on_its_device(fit, monkeypatch):
    """Lightning moves the model to the CPU when training ends."""
    places = []

    def report(self, gan, best):
        places.append(next(gan.ema.generator.parameters()).device.type)
        return {}, None

    monkeypatch.setattr(Evaluation, "report", report)
    trainer, gan = fit("trainer.max_epochs=1", "trainer.limit_train_batches=1", extra_callbacks=[Evaluation({}, n=50)])
    trainer.strategy._root_device = torch.device("meta")
    (record,) = (callback for callback in trainer.callbacks if isinstance(callback, RunInfo))
    record.write_result(trainer, gan)
    assert places == ["meta"]
