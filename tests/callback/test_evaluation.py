from typing import ClassVar

import pytest
import torch
from lightning.pytorch import Callback

from fmcgan.app.run_files import read_metrics, read_result
from fmcgan.callback.evaluation import Evaluation
from fmcgan.callback.run_info import RunInfo
from fmcgan.metric.base import Metric
from fmcgan.metric.image_set import UnfitNetworkError
from fmcgan.metric.value import MetricValue, Quantity


class Brightness(Metric):
    """Mean grey level, lower is better; uses the global random state as badly as it can."""

    protocol = "brightness"
    kinds: ClassVar = {"brightness": Quantity("Brightness", "lower")}
    uses_reference = False

    def measure(self, samples, real):
        torch.manual_seed(123)
        torch.rand(100)
        value = samples.images.float().mean().item()
        return {"brightness": MetricValue(value)}


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FMCGAN_CACHE", str(tmp_path / "cache"))


def test_evaluating_never_changes_training(fit):
    whole = ("trainer.max_epochs=2", "network=conv", "network.width=4")  # dropout draws from the global state
    _, without = fit(*whole)
    _, with_scores = fit(*whole, extra_callbacks=[Evaluation({"b": Brightness()}, n=50)], folder="scored")
    for name, value in without.state_dict().items():
        assert torch.equal(value, with_scores.state_dict()[name]), name


def test_the_random_state_is_left_as_it_was(fit):
    states = []

    class Around(Evaluation):
        def on_train_epoch_end(self, trainer, pl_module):
            before = torch.get_rng_state()
            super().on_train_epoch_end(trainer, pl_module)
            states.append(torch.equal(before, torch.get_rng_state()))

    fit("trainer.max_epochs=1", extra_callbacks=[Around({"b": Brightness()}, n=50)])
    assert states == [True]


def test_scores_the_average_every_few_epochs_and_at_the_end(fit, tmp_path):
    evaluation = Evaluation({"b": Brightness()}, n=50, every_n_epochs=2, seed=7)
    _, gan = fit("trainer.max_epochs=3", "trainer.limit_train_batches=3", extra_callbacks=[evaluation])
    rows = [row for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "score/brightness_50" in row]
    assert [row["epoch"] for row in rows] == [2.0, 3.0]
    from fmcgan.training.sampling import sample_classes

    images, _ = sample_classes(gan.ema.generator, range(10), 5, seed=7)
    result = evaluation.results["brightness_50"]
    assert result["value"] == rows[-1]["score/brightness_50"] == pytest.approx(images.float().mean().item())
    assert result["n"] == 50
    assert result["better"] == "lower"
    real = result["floor"]
    assert 10 < real < 200  # the mean grey level of drawn garments, not of generated ones
    assert real != result["value"]


def test_best_checkpoint_is_that_of_the_best_score(fit, tmp_path):
    values = iter([5.0, 3.0, 4.0])

    class Given(Callback):
        """Stands in front of the checkpoint callback and plants the scores."""

        def on_train_epoch_end(self, trainer, pl_module):
            result = {"value": next(values), "floor": 0.0, "better": "lower", "n": 50}
            evaluation.results = {"fd_classifier_50_test": result}

    evaluation = Evaluation({}, n=50)
    fit("trainer.max_epochs=3", extra_callbacks=[evaluation, Given()])
    folder = tmp_path / "run" / "checkpoints"
    assert torch.load(folder / "best.ckpt", weights_only=True)["images_seen"] == 2 * 640
    assert torch.load(folder / "last.ckpt", weights_only=True)["images_seen"] == 3 * 640
    assert sorted(path.name for path in folder.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_what_is_reported_is_measured_on_samples_that_no_choice_has_seen(fit, tmp_path):
    """The best checkpoint is that of epoch 1 here; its score and that of the last weights come from fresh samples."""
    from fmcgan.inference.generator import load_generator
    from fmcgan.training.sampling import sample_classes

    class Darkest(Evaluation):
        """Judges the first epoch best, whatever it looks like."""

        def measure(self, generator, seed):
            results = super().measure(generator, seed)
            if seed == self.seed:
                results["brightness_50"]["value"] = float(trainer_epochs.pop(0))
            return results

    trainer_epochs = [1, 2, 3]
    evaluation = Darkest({"b": Brightness()}, n=50, seed=7, report_seed=8)
    small = ("trainer.max_epochs=3", "trainer.limit_train_batches=3", "callback.checkpointing.monitor=brightness")
    trainer, gan = fit(*small, extra_callbacks=[evaluation])
    (record,) = (callback for callback in trainer.callbacks if isinstance(callback, RunInfo))
    before = {name: value.clone() for name, value in gan.state_dict().items()}
    result = record.write_result(trainer, gan)

    def fresh(checkpoint):
        network = load_generator(tmp_path / "run" / "checkpoints" / checkpoint).network
        return sample_classes(network, range(10), 5, seed=8)[0].float().mean().item()

    assert result["scores"]["brightness_50"]["value"] == pytest.approx(fresh("last.ckpt"))
    assert result["best"]["scores"]["brightness_50"]["value"] == pytest.approx(fresh("best.ckpt"))
    assert result["best"]["images_seen"] == 96
    assert fresh("last.ckpt") != fresh("best.ckpt")
    assert all(torch.equal(value, before[name]) for name, value in gan.state_dict().items())
    assert result["evaluation_share"] == pytest.approx(
        evaluation.seconds / (evaluation.seconds + result["training_seconds"]), abs=1e-3
    )


@pytest.mark.parametrize(
    ("names", "told"), [([], "no score is measured"), (["brightness"], "choose a prefix of brightness")]
)
def test_a_monitored_score_that_a_refused_classifier_leaves_out_is_told_before_training(
    fit, tmp_path, caplog, names, told
):
    class Refused(Brightness):
        def fit(self, real):
            raise UnfitNetworkError("no classifier of drawn")

    class First(Callback):
        """Stands in front of the checkpoint callback."""

        def on_train_start(self, trainer, pl_module):
            seen.append(caplog.text)

    seen = []
    scores = {"refused": Refused(), **{name: Brightness() for name in names}}
    few = ("trainer.max_epochs=2", "trainer.limit_train_batches=2")
    trainer, _ = fit(*few, extra_callbacks=[Evaluation(scores, n=50), First()])
    (warning,) = (each.getMessage() for each in caplog.records if "best.ckpt" in each.getMessage())
    assert warning.endswith(f"starts with callback.checkpointing.monitor=fd_classifier; {told}")
    assert warning in seen[0]
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["last.ckpt"]
    assert trainer.current_epoch == 2


@pytest.mark.parametrize("damage", ["cut", "bit", "other", "folder"])
def test_a_damaged_best_checkpoint_does_not_lose_the_result(fit, tmp_path, caplog, damage):
    small = ("trainer.max_epochs=1", "trainer.limit_train_batches=2", "callback.checkpointing.monitor=brightness")
    trainer, gan = fit(*small, extra_callbacks=[Evaluation({"b": Brightness()}, n=50)])
    (record,) = (callback for callback in trainer.callbacks if isinstance(callback, RunInfo))
    best = tmp_path / "run" / "checkpoints" / "best.ckpt"
    content = bytearray(best.read_bytes())
    if damage == "cut":
        best.write_bytes(content[:-1000])
    elif damage == "bit":
        content[len(content) // 2] ^= 64
        best.write_bytes(content)
    elif damage == "other":
        checkpoint = torch.load(best, weights_only=True)
        state = {name: value[:1].clone() if value.dim() else value for name, value in checkpoint["state_dict"].items()}
        torch.save(checkpoint | {"images_seen": 1, "state_dict": state}, best)
    else:
        best.unlink()
        best.mkdir()
    result = record.write_result(trainer, gan)
    assert result["best"] is None
    assert result["scores"]["brightness_50"]["value"] > 0
    assert read_result(tmp_path / "run" / "result.json") == result
    assert ("no scores of the best checkpoint" in caplog.text) == (damage != "folder")


def test_the_share_of_the_time_is_written_down(fit, tmp_path):
    evaluation = Evaluation({"b": Brightness()}, n=50)
    fit("trainer.max_epochs=1", "trainer.limit_train_batches=3", extra_callbacks=[evaluation])
    (row,) = (row for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "evaluation_share" in row)
    assert 0 < row["evaluation_share"] < 1
    # The row's seconds are rounded to milliseconds, of a run of some tens of them.
    assert row["evaluation_share"] == pytest.approx(evaluation.share(row["seconds"]), abs=1e-2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 5}, "n must be a whole number of at least 10"),
        ({"n": "many"}, "n must be a whole number"),
        ({"every_n_epochs": 0}, "every_n"),
        ({"seed": 5, "report_seed": 5}, "report_seed must differ from seed"),
    ],
)
def test_wrong_values_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Evaluation({}, **arguments)
