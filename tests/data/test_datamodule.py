import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities.warnings import PossibleUserWarning
from torch import Tensor

from fmcgan.app.errors import UserError
from fmcgan.data.datamodule import ImageDataModule, ImageSplits
from fmcgan.data.info import DatasetInfo

Step = tuple[int, int, list[int]]
"""Epoch, number of the batch in the epoch, labels of the batch."""


class Numbered(ImageDataModule):
    """Twenty-three training images, of which each is its own class, so that a batch shows what is in it."""

    loads = 0
    source = DatasetInfo("numbered", tuple(map(str, range(200))))

    def load(self) -> ImageSplits:
        self.loads += 1
        numbers = torch.arange(23)
        images = numbers.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 28, 28)
        return ImageSplits(images, numbers, images[:3] + 100, numbers[:3] + 100)


class MetricsLogger(LightningModule):
    """Steps like a GAN, twice a batch by hand, and writes down what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.steps: list[Step] = []
        self.epoch_ends: list[int] = []

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, labels = batch
        assert torch.allclose((images[:, 0, 3, 5] + 1) * 127.5, labels.float(), atol=1e-4)
        for optimizer in self.optimizers():
            optimizer.step()
        self.steps.append((self.current_epoch, batch_idx, labels.tolist()))

    def on_train_epoch_end(self) -> None:
        self.epoch_ends.append(self.current_epoch)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.SGD([self.weight], 0.1), torch.optim.SGD([self.weight], 0.1)]


class Interrupted(Exception):
    """Stands for the end of the process."""


class Interruption(Checkpoint):
    """Saves and ends after so many batches, or after so many epochs, or ends within a step and then saves."""

    def __init__(self, path: Path, *, batches: int = -1, epochs: int = -1, step: int = -1) -> None:
        self.path, self.batches, self.epochs, self.step = path, batches, epochs, step

    def on_train_batch_start(self, trainer: Trainer, module: MetricsLogger, *args: object) -> None:
        if len(module.steps) == self.step:
            raise Interrupted

    def on_exception(self, trainer: Trainer, *args: object) -> None:
        if self.step >= 0:
            trainer.save_checkpoint(self.path)

    def on_train_batch_end(self, trainer: Trainer, module: MetricsLogger, *args: object) -> None:
        self._end(trainer, len(module.steps) == self.batches)

    def on_train_epoch_end(self, trainer: Trainer, module: MetricsLogger) -> None:
        self._end(trainer, len(module.epoch_ends) == self.epochs)

    def _end(self, trainer: Trainer, now: bool) -> None:
        if now:
            trainer.save_checkpoint(self.path)
            raise Interrupted


def fit(checkpoint: Path | None = None, *callbacks: Callback, **options: object) -> MetricsLogger:
    metrics_logger = MetricsLogger()
    trainer = Trainer(
        **{"max_epochs": 3, **options},
        accelerator="cpu",
        logger=False,
        enable_checkpointing=bool(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=list(callbacks),
    )
    with warnings.catch_warnings():
        # Lightning's warnings of a loader that cannot be resumed, or has too few workers
        warnings.simplefilter("error", PossibleUserWarning)
        try:
            trainer.fit(metrics_logger, datamodule=Numbered(batch_size=5, seed=0), ckpt_path=checkpoint)
        except Interrupted:
            assert callbacks
    return metrics_logger


@pytest.fixture(scope="module")
def whole() -> MetricsLogger:
    return fit()


@pytest.mark.train
def test_epochs_differ_and_never_hold_a_test_image(whole: MetricsLogger) -> None:
    assert [step[:2] for step in whole.steps] == [(epoch, batch) for epoch in range(3) for batch in range(4)]
    epochs = [[label for number, _, labels in whole.steps if number == epoch for label in labels] for epoch in range(3)]
    assert all(len(set(epoch)) == 20 and max(epoch) < 23 for epoch in epochs)
    assert len({str(epoch) for epoch in epochs}) == 3


@pytest.mark.train
@pytest.mark.parametrize(
    "end",
    [
        {"batches": 1},
        {"batches": 6},
        {"batches": 11},
        {"epochs": 1},
        {"epochs": 2},
        {"step": 6},  # saved within a step: that batch was not trained on, so it comes again
    ],
)
def test_interrupted_and_resumed_sees_what_an_uninterrupted_run_sees(end, whole: MetricsLogger, tmp_path: Path) -> None:
    first = fit(None, Interruption(tmp_path / "last.ckpt", **end))
    assert 0 < len(first.steps) < len(whole.steps)
    second = fit(tmp_path / "last.ckpt")
    assert first.steps + second.steps == whole.steps
    assert first.epoch_ends + second.epoch_ends == whole.epoch_ends == [0, 1, 2]


@pytest.mark.train
@pytest.mark.parametrize("ends", [({"batches": 1}, {"batches": 1}), ({"batches": 6}, {"epochs": 1})])
def test_interrupted_twice(ends: tuple[dict, dict], whole: MetricsLogger, tmp_path: Path) -> None:
    first = fit(None, Interruption(tmp_path / "1.ckpt", **ends[0]))
    second = fit(tmp_path / "1.ckpt", Interruption(tmp_path / "2.ckpt", **ends[1]))
    third = fit(tmp_path / "2.ckpt")
    assert min(len(first.steps), len(second.steps), len(third.steps)) > 0
    assert first.steps + second.steps + third.steps == whole.steps
    assert first.epoch_ends + second.epoch_ends + third.epoch_ends == [0, 1, 2]


@pytest.mark.train
def test_saved_at_the_last_batch_but_before_the_end_of_the_epoch(whole: MetricsLogger, tmp_path: Path) -> None:
    first = fit(None, Interruption(tmp_path / "last.ckpt", batches=4))
    second = fit(tmp_path / "last.ckpt")
    assert first.steps + second.steps == whole.steps


@pytest.mark.train
def test_short_epochs_resume_too(whole: MetricsLogger, tmp_path: Path) -> None:
    short = fit(limit_train_batches=3)
    assert short.steps == [step for step in whole.steps if step[1] < 3]
    first = fit(None, Interruption(tmp_path / "last.ckpt", batches=5), limit_train_batches=3)
    second = fit(tmp_path / "last.ckpt", limit_train_batches=3)
    assert first.steps + second.steps == short.steps


def test_loads_once_and_moves_to_the_trainers_device() -> None:
    data = Numbered(batch_size=5, seed=0)
    data.setup("fit")
    assert {tensor.device.type for tensor in data.images} == {"cpu"}
    data.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")))
    data.setup("test")
    assert {tensor.device.type for tensor in data.images} == {"meta"}
    assert data.images.train_images.dtype == torch.uint8
    assert data.loads == 1


def test_devices_share_the_batches() -> None:
    seen = []
    for rank in (0, 1):
        data = Numbered(batch_size=6, seed=0)
        data.setup()
        data.trainer = SimpleNamespace(
            global_rank=rank, world_size=2, overfit_batches=0, fit_loop=SimpleNamespace(batch_idx=-1)
        )
        seen.append([labels.tolist() for _, labels in data.train_dataloader()])
    data.trainer = None
    together = [labels.tolist() for _, labels in data.train_dataloader()]
    assert [left + right for left, right in zip(*seen, strict=True)] == together


@pytest.mark.parametrize(
    ("batch_size", "options", "message"),
    [
        (24, {}, r"data\.batch_size must be at most 23, the number of training images, got 24"),
        (5, {"overfit_batches": 1}, "overfit_batches is not supported; use trainer.limit_train_batches"),
    ],
)
def test_what_does_not_fit_ends_with_one_line(batch_size: int, options: dict, message: str) -> None:
    data = Numbered(batch_size=batch_size, seed=0)
    data.setup()
    data.trainer = Trainer(accelerator="cpu", logger=False, **options)
    with pytest.raises(UserError, match=message):
        data.train_dataloader()
