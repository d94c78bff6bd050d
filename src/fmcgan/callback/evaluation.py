"""Scores of the averaged generator while it trains, and of what it became, on fresh samples, at the end."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from fmcgan.app.checks import MOST_IMAGES, seed_number, whole_number
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.callback.metrics_logger import MetricsLogger
from fmcgan.data.classes import NUM_CLASSES
from fmcgan.metric.base import Metric, RealImages
from fmcgan.metric.evaluation import Evaluator, Results
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.results_store import Store
from fmcgan.metric.table import in_words
from fmcgan.training.checkpoint_file import read_checkpoint
from fmcgan.training.sampling import require_memory, sample_classes

log = logging.getLogger(__name__)

NOTABLE_SHARE = 0.1
"""Above this share of the run's time spent on scores, the log says how to spend less."""


class Evaluation(Callback):
    """Measures scores on samples of the averaged generator, the same number of each class.

    The latent vectors come from their own stream and every random state is left as it was, so that the same seed
    gives the same weights with and without evaluation.

    While training, the samples of ``seed`` are scored: the best checkpoint is chosen by them. What is reported of the
    finished run is measured on samples of ``report_seed``, which no choice has seen.

    Args:
        scores: by name.
        n: samples, a multiple of the number of classes.
        every_n_epochs: how often; the last epoch is always scored.
        seed: of the samples that are scored while training.
        report_seed: of those that are scored at the end; another one.
        cache: folder of what was measured of real images; ``None`` takes the user's.
    """

    def __init__(
        self,
        scores: Mapping[str, Metric],
        n: int = 10_000,
        every_n_epochs: int = 1,
        seed: int = 1000,
        report_seed: int = 1001,
        cache: str | None = None,
    ) -> None:
        whole_number(minimum=NUM_CLASSES, maximum=MOST_IMAGES, n=n)
        whole_number(every_n_epochs=every_n_epochs)
        seed_number(seed=seed, report_seed=report_seed)
        require_memory(n)
        if n % NUM_CLASSES:
            raise InvalidValueError(f"n must be a multiple of {NUM_CLASSES}, the number of classes, got {n}", "n")
        if seed == report_seed:
            raise InvalidValueError(
                f"report_seed must differ from seed, whose samples choose the checkpoint, got {seed}", "report_seed"
            )
        self.scores = dict(scores)
        self.n = n
        self.every_n_epochs = every_n_epochs
        self.seed = seed
        self.report_seed = report_seed
        self.cache = cache
        self.results: Results = {}
        self.seconds = 0.0

    def check(self, trainer: Trainer) -> None:
        """Looks for the metrics_logger, which this callback needs, before anything is fetched or trained."""
        MetricsLogger.of(trainer)

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Measures the real data, or reads what an earlier run measured of them."""
        if trainer.is_global_zero:
            images, store = trainer.datamodule.images, Store(self.cache)  # type: ignore[attr-defined]
            train = ImageSet(images.train_images, images.train_labels, store=store)
            test = ImageSet(images.test_images, images.test_labels, store=store)
            self.evaluator = Evaluator(self.scores, RealImages(train, test), self.n, store=store)
            if self.scores:
                log.info("measuring real data for the scores")
                self.floors = self.evaluator.floors()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Scores the epoch that has just ended, if it is its turn."""
        epoch = trainer.current_epoch + 1
        due = epoch % self.every_n_epochs == 0 or epoch == trainer.max_epochs or trainer.should_stop
        if due and trainer.is_global_zero and self.scores:
            start = time.perf_counter()
            self.results = self.measure(pl_module.ema.calibrated(), self.seed)
            self.seconds += time.perf_counter() - start
            self._write(trainer, pl_module, epoch)

    def measure(self, generator: torch.nn.Module, seed: int) -> Results:
        """Scores a generator on the samples of a seed; every random state is left as it was."""
        if not self.scores:
            return {}
        n_per_class = -(-self.evaluator.samples_needed // NUM_CLASSES)
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            samples = sample_classes(generator, range(NUM_CLASSES), n_per_class, seed)
            return self.evaluator.measure(ImageSet(*samples, device=next(generator.parameters()).device))

    def report(self, module: Any, best: Path | None) -> dict[str, Any]:
        """Scores a finished run on fresh samples.

        Args:
            module: the GAN as it is at the end.
            best: the checkpoint that was chosen, if there is one.

        Returns:
            ``scores`` of the last weights and, with a chosen checkpoint, ``best``: its ``images_seen`` and ``scores``.
        """
        start = time.perf_counter()
        found: dict[str, Any] = {"scores": self.measure(module.ema.calibrated(), self.report_seed)}
        if self.scores and best is not None and best.is_file():
            try:
                found["best"] = self._report_best(module, best, found["scores"])
            except (UserError, OSError, RuntimeError) as error:  # RuntimeError: weights of another network
                log.warning("the best checkpoint is left out of the result: %s", error)
        self.seconds += time.perf_counter() - start
        return found

    def _report_best(self, module: Any, best: Path, last: Results) -> dict[str, Any]:
        """Its images seen and its scores, those of the last weights if it holds these."""
        checkpoint = read_checkpoint(best)
        seen = checkpoint["images_seen"]
        return {
            "images_seen": seen,
            "scores": last if seen == module.images_seen else self._measure_state(module, checkpoint["state_dict"]),
        }

    def share(self, training_seconds: float) -> float:
        """Share of the run's time, in 0..1, that went into scores so far."""
        return self.seconds / max(self.seconds + training_seconds, 1e-9)

    def _measure_state(self, module: Any, state: Mapping[str, torch.Tensor]) -> Results:
        """Scores the averaged generator of a checkpoint, with the one at hand as its vessel."""
        generator, prefix = module.ema.generator, "ema.generator."
        last = {name: value.clone() for name, value in generator.state_dict().items()}
        try:
            generator.load_state_dict(
                {name.removeprefix(prefix): state[name] for name in state if name.startswith(prefix)}
            )
            return self.measure(generator, self.report_seed)
        finally:
            generator.load_state_dict(last)

    def _write(self, trainer: Trainer, module: Any, epoch: int) -> None:
        values = {f"score/{name}": result["value"] for name, result in self.results.items()}
        floors = {f"floor/{name}": r["floor"] for name, r in self.results.items() if r["floor"] is not None}
        metrics_logger = MetricsLogger.of(trainer)
        share = self.share(metrics_logger.seconds)
        metrics_logger.write(trainer, module, values | floors | {"evaluation_share": round(share, 4)})
        log.info("epoch %d: %s", epoch, ", ".join(in_words(name, result) for name, result in self.results.items()))
        if share > NOTABLE_SHARE and self.seconds > 60:
            log.info(
                "scores take %.0f %% of the time; callback.evaluation.every_n_epochs=%d would make that less",
                100 * share,
                2 * self.every_n_epochs,
            )

    def state_dict(self) -> dict[str, Any]:
        """The last scores, so that the checkpoint that follows an epoch without scores is not judged by none."""
        return {"results": self.results, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        self.results = state_dict["results"]
        self.seconds = state_dict["seconds"]
