import csv
import json

import pytest
import torch
from lightning.pytorch import Callback

from fmcgan.app.errors import UserError
from fmcgan.app.run_files import read_metrics
from fmcgan.callback.metrics_logger import MetricsLogger, _diverged_network


class Poison(Callback):
    """Breaks one number at a given batch."""

    def __init__(self, batch, name):
        self.batch, self.name = batch, name

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 1 and batch_idx == self.batch:
            with torch.no_grad():
                pl_module.get_parameter(self.name).fill_(float("nan"))


def test_rows_are_means_over_their_interval(fit, tmp_path):
    outputs = []

    class Collect(Callback):
        def on_train_batch_end(self, trainer, pl_module, step_outputs, batch, batch_idx):
            outputs.append({name: value.item() for name, value in step_outputs.items()})

    _, gan = fit("trainer.max_epochs=1", "trainer.limit_train_batches=7", extra_callbacks=[Collect()])
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [row["images_seen"] for row in rows] == [5 * 32, 7 * 32]  # every 5 batches, and what is left at the end
    assert [row["epoch"] for row in rows] == [pytest.approx(5 / 7, abs=1e-3), 1.0]
    for name in ("loss/generator", "loss/discriminator", "gradient_norm/generator", "judged_real/fake"):
        assert rows[0][name] == pytest.approx(sum(each[name] for each in outputs[:5]) / 5)
        assert rows[1][name] == pytest.approx(sum(each[name] for each in outputs[5:]) / 2)
    assert rows[0]["learning_rate/generator"] == 2e-3
    assert 0 < rows[0]["seconds"] < rows[1]["seconds"]
    seconds = rows[1]["seconds"] - rows[0]["seconds"]
    assert rows[1]["images_per_second"] == pytest.approx(64 / seconds, rel=0.05)
    assert gan.images_seen == 224


def test_tables(fit, tmp_path):
    fit("trainer.max_epochs=2", "n_critic=3")
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    with (tmp_path / "run" / "metrics.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [int(row["images_seen"]) for row in table] == [row["images_seen"] for row in rows]
    assert float(table[-1]["loss/generator"]) == rows[-1]["loss/generator"]
    with (tmp_path / "run" / "epochs.csv").open() as file:
        epochs = list(csv.DictReader(file))
    assert list(epochs[0]) == [
        "epoch",
        "generator_loss",
        "discriminator_loss",
        "generator_gradient_norm",
        "discriminator_gradient_norm",
        "minutes",
    ]
    assert [row["epoch"] for row in epochs] == ["1", "2"]
    # The mean over the epoch's steps: 20 batches in four rows of five, each step counted once.
    first = [row["loss/discriminator"] for row in rows if row["epoch"] <= 1]
    assert float(epochs[0]["discriminator_loss"]) == pytest.approx(sum(first) / 4, rel=1e-4)


@pytest.mark.parametrize(
    ("weight", "player"), [("discriminator.head.logit.bias", "discriminator"), ("generator.to_image.bias", "generator")]
)
def test_nan_stops_the_run_and_keeps_the_last_good_checkpoint(fit, tmp_path, weight, player):
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    with pytest.raises(UserError, match=f"in the {player} at 800 images seen: .* became NaN") as error:
        fit("trainer.max_epochs=3", extra_callbacks=[Poison(4, weight)])  # the 25th batch: images 769 to 800
    assert str(checkpoint) in str(error.value)
    state = torch.load(checkpoint, weights_only=True)
    assert state["images_seen"] == 640
    assert all(torch.isfinite(value).all() for value in state["state_dict"].values())


def test_broken_weights_never_reach_a_checkpoint(fit, tmp_path):
    class PoisonAtTheVeryEnd(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            if trainer.current_epoch == 1:
                with torch.no_grad():
                    pl_module.generator.to_image.bias.fill_(float("inf"))

    with pytest.raises(UserError, match=r"generator.to_image.bias has NaN or infinite values after 1,280 images"):
        fit("trainer.max_epochs=3", extra_callbacks=[PoisonAtTheVeryEnd()])
    assert torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["images_seen"] == 640


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"images_seen": 1, "seconds": 0.5}) + '\n{"images_se')
    assert read_metrics(path) == [{"images_seen": 1, "seconds": 0.5}]


@pytest.mark.parametrize("name", ["metrics.jsonl", "epochs.csv"])
def test_a_damaged_table_ends_a_resumed_run_before_its_first_step(fit, tmp_path, name):
    small = ("trainer.limit_train_batches=2",)
    fit("trainer.max_epochs=1", *small)
    path = tmp_path / "run" / name
    damaged = b"\xff\n" + path.read_bytes()
    path.write_bytes(damaged)
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    before = checkpoint.read_bytes()
    with pytest.raises(UserError, match=rf"{name}.*UTF-8.*Delete"):
        fit("trainer.max_epochs=2", *small, ckpt_path=checkpoint)
    assert path.read_bytes() == damaged
    assert checkpoint.read_bytes() == before


def test_columns_of_an_older_version_do_not_end_a_resumed_run(fit, tmp_path):
    small = ("trainer.limit_train_batches=2",)
    fit("trainer.max_epochs=1", *small)
    path = tmp_path / "run" / "epochs.csv"
    header, row = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f"{header},fid\n{row},3.5\n", encoding="utf-8")
    fit("trainer.max_epochs=2", *small, ckpt_path=tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert [line.partition(",")[0] for line in path.read_text(encoding="utf-8").splitlines()] == ["epoch", "1", "2"]


@pytest.mark.parametrize(
    ("bad", "network"),
    [
        (["logit/real", "logit/fake", "loss/generator"], "discriminator"),
        (["logit/fake", "loss/discriminator", "loss/generator"], "generator"),  # its last update went wrong
        (["gradient_norm/discriminator", "loss/generator"], "discriminator"),
        (["loss/generator", "gradient_norm/generator"], "discriminator"),  # D's update just before it
        (["gradient_norm/generator"], "generator"),
    ],
)
def test_which_network_broke_first(bad, network):
    assert _diverged_network(bad) == network


def test_final_values_are_means_over_the_last_epoch_of_both_players(fit):
    """22 batches at n_critic 5 leave a last interval of two batches without any generator update."""
    trainer, _ = fit("trainer.max_epochs=1", "trainer.limit_train_batches=22", "n_critic=5")
    metrics_logger = MetricsLogger.of(trainer)
    assert "loss/generator" in metrics_logger.epoch_means
    assert "loss/generator" in metrics_logger.latest
