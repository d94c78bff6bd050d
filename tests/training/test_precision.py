import logging
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn

from fmcgan.data.garments import GARMENTS
from fmcgan.data.info import DatasetInfo
from fmcgan.training import precision
from fmcgan.training.precision import faster_precision


class Sleeper(LightningModule):
    """A model whose steps take a given time in each precision, and ten times as long at the end of each cycle."""

    def __init__(self, seconds, cycle=1):
        super().__init__()
        self.cycle = cycle
        self.automatic_optimization = False
        self.weight = nn.Parameter(torch.zeros(()))
        self.seconds = seconds
        self.batches = []

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

    def training_step(self, batch, batch_idx):
        self.batches.append(batch[0].shape)
        self.labels = batch[1].tolist()
        is_long = self.cycle > 1 and len(self.batches) % self.cycle == 0
        precision.time.now += self.seconds[self.trainer.precision] * (10 if is_long else 1)


@pytest.fixture(autouse=True)
def bf16_units(monkeypatch):
    monkeypatch.setattr(precision, "_has_bf16", lambda device: True)


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    monkeypatch.setattr(precision, "time", Clock())


@pytest.fixture
def trainer(tmp_path):
    def trainer(**options):
        quiet = {"enable_progress_bar": False, "enable_model_summary": False}
        return Trainer(accelerator="cpu", default_root_dir=tmp_path, **quiet, **options)

    return trainer


@pytest.mark.train
@pytest.mark.parametrize(
    ("mixed", "chosen"), [(0.05, "bf16-mixed"), (0.086, "bf16-mixed"), (0.09, "32-true"), (0.5, "32-true")]
)
def test_mixed_precision_must_be_clearly_faster(clock, trainer, caplog, mixed, chosen):
    with caplog.at_level(logging.INFO, logger="fmcgan"):
        assert faster_precision(lambda: Sleeper({"32-true": 0.1, "bf16-mixed": mixed}), trainer, 16, GARMENTS) == chosen
    assert f"precision: {chosen} (one step: 32-true 100.0 ms, bf16-mixed {1000 * mixed:.1f} ms" in caplog.text


@pytest.mark.train
def test_a_trial_takes_seconds_however_slow_the_step(clock, trainer):
    built = []

    def build():
        built.append(Sleeper({"32-true": 0.1, "bf16-mixed": 30.0}))
        return built[-1]

    faster_precision(build, trainer, 16, GARMENTS)
    assert [len(each.batches) for each in built] == [
        2 + 6,
        2 + 3,
    ]  # two to warm up; then half a second, but at least three
    assert built[0].batches[0] == (16, 1, 28, 28)


@pytest.mark.train
def test_a_trial_has_images_and_labels_of_the_data_set(clock, trainer):
    built = []

    def build():
        built.append(Sleeper({"32-true": 0.1, "bf16-mixed": 0.01}))
        return built[-1]

    faster_precision(build, trainer, 8, DatasetInfo("flowers", ("rose", "lily", "iris"), channels=3, size=32))
    assert built[0].batches[0] == (8, 3, 32, 32)
    assert built[0].labels == [0, 1, 2, 0, 1, 2, 0, 1]


def test_where_bf16_is_emulated_it_is_not_tried(monkeypatch, trainer, caplog):
    monkeypatch.setattr(precision, "_has_bf16", lambda device: False)
    with caplog.at_level(logging.INFO, logger="fmcgan"):
        assert faster_precision(lambda: pytest.fail("a trial"), trainer, 16, GARMENTS) == "32-true"
    assert "no bf16" in caplog.text


@pytest.mark.train
@pytest.mark.parametrize("cycle", [4, 5, 16])
def test_whole_cycles_are_timed(clock, trainer, caplog, cycle):
    """The fastest step alone would be one without the penalty."""
    with caplog.at_level(logging.INFO, logger="fmcgan"):
        faster_precision(lambda: Sleeper({"32-true": 0.1, "bf16-mixed": 0.01}, cycle), trainer, 16, GARMENTS)
    mean = 100 * (cycle - 1 + 10) / cycle
    assert f"32-true {mean:.1f} ms, bf16-mixed {mean / 10:.1f} ms" in caplog.text


def test_a_gpu_is_waited_for_once_a_cycle(clock, monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(precision.time.now))
    timer, on_gpu = precision._StepTimer(4), SimpleNamespace(device=torch.device("cuda"))
    monkeypatch.setattr(precision.signal, "signal", lambda *arguments: None)
    stopping = SimpleNamespace(should_stop=False)
    timer.on_train_start(stopping, on_gpu)
    for batch in range(20):
        precision.time.now += 5 if batch % 4 == 0 else 1
        timer.on_train_batch_end(stopping, on_gpu, None, None, batch)
    assert waited == [8, 16, 24, 32, 40]
    assert timer.fastest == 2
    assert not stopping.should_stop


@pytest.mark.train
def test_a_trial_logs_nothing_of_its_own(clock, trainer, caplog):
    class Talker(Sleeper):
        def training_step(self, batch, batch_idx):
            super().training_step(batch, batch_idx)
            logging.getLogger("fmcgan.training.cuda_graphs").warning("CUDA graphs: no")

    with caplog.at_level(logging.INFO, logger="fmcgan"):
        faster_precision(lambda: Talker({"32-true": 0.1, "bf16-mixed": 0.01}), trainer, 16, GARMENTS)
    assert "CUDA graphs" not in caplog.text
