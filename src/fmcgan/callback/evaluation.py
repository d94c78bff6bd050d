"""Scores of the averaged generator while it trains and at the end."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from fmcgan.callback.recorder import Recorder
from fmcgan.checks import whole_number
from fmcgan.data.classes import NUM_CLASSES
from fmcgan.metric.score import LabelledImages, Score
from fmcgan.metric.table import Results, in_words, measure_all
from fmcgan.training.sampling import sample_classes

log = logging.getLogger(__name__)


class Evaluation(Callback):
    """Measures scores on fresh samples of the averaged generator, the same number of each class.

    The latent vectors come from their own stream and every random state is left as it was, so that the same seed
    gives the same weights with and without evaluation.

    Args:
        scores: by name.
        n: samples, a multiple of the number of classes.
        every_n_epochs: how often; the last epoch is always scored.
        seed: of the samples.
    """

    def __init__(self, scores: Mapping[str, Score], n: int = 10_000, every_n_epochs: int = 1, seed: int = 1000) -> None:
        whole_number(minimum=NUM_CLASSES, n=n)
        whole_number(every_n_epochs=every_n_epochs)
        whole_number(minimum=0, seed=seed)
        if n % NUM_CLASSES:
            raise ValueError(f"n must be a multiple of {NUM_CLASSES}, the number of classes, got {n}")
        self.scores = dict(scores)
        self.n = n
        self.every_n_epochs = every_n_epochs
        self.seed = seed
        self.results: Results = {}
        self.seconds = 0.0

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Measures the real data once: the reference and the floor of every score."""
        if trainer.is_global_zero:
            images = trainer.datamodule.images  # type: ignore[attr-defined]
            train = LabelledImages(images.train_images, images.train_labels)
            test = LabelledImages(images.test_images, images.test_labels)
            for name, score in self.scores.items():
                log.info("measuring real data for the scores of %s", name)
                score.prepare(train, test, self.n)
                score.floors()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Scores the epoch that has just ended, if it is its turn."""
        epoch = trainer.current_epoch + 1
        due = epoch % self.every_n_epochs == 0 or epoch == trainer.max_epochs or trainer.should_stop
        if due and trainer.is_global_zero and self.scores:
            start = time.perf_counter()
            self.results = self.measure(pl_module.ema.generator)
            self.seconds += time.perf_counter() - start
            self._report(trainer, pl_module, epoch)

    def measure(self, generator: torch.nn.Module) -> Results:
        """Scores a generator on fresh samples; every random state is left as it was."""
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            samples = sample_classes(generator, range(NUM_CLASSES), self.n // NUM_CLASSES, self.seed)
            return measure_all(self.scores, LabelledImages(*samples))

    def _report(self, trainer: Trainer, module: Any, epoch: int) -> None:
        values = {f"score/{name}": result["value"] for name, result in self.results.items()}
        floors = {f"floor/{name}": r["floor"] for name, r in self.results.items() if r["floor"] is not None}
        Recorder.of(trainer).write(trainer, module, values | floors)
        log.info("epoch %d: %s", epoch, ", ".join(in_words(name, result) for name, result in self.results.items()))

    def state_dict(self) -> dict[str, Any]:
        """The last scores, so that a run resumed after its last epoch still has them."""
        return {"results": self.results, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        self.results = state_dict["results"]
        self.seconds = state_dict["seconds"]
