"""Evaluation of the averaged generator during training and, on fresh samples, at its end."""

import copy
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from fmcgan.app.checks import MOST_IMAGES, seed_number, whole_number
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.formatting import terminal_columns, wrapped_list
from fmcgan.callback.metrics_logger import MetricsLogger
from fmcgan.callback.trainer import data_of, is_last_epoch
from fmcgan.data.info import DatasetInfo
from fmcgan.metric.base import Metric
from fmcgan.metric.evaluation import Evaluator
from fmcgan.metric.image_set import ImageSet, RealImages, class_counts
from fmcgan.metric.results import Results, as_text
from fmcgan.metric.results_store import Store
from fmcgan.metric.value import Quantity
from fmcgan.training.checkpoint_file import read_checkpoint
from fmcgan.training.gan import ConditionalGAN
from fmcgan.training.sampling import require_memory, sample_classes

log = logging.getLogger(__name__)

_FEWEST = 10  # samples; no metric says anything of fewer
NOTABLE_SHARE = 0.1  # share of the run's time above which the log suggests fewer evaluations


class Evaluation(Callback):
    """Measures metrics on samples of the averaged generator, in the class proportions of the test images.

    Latent vectors have their own random stream, and every random state is restored: a run has the same weights with and
    without evaluation. Samples of ``seed`` are measured during training and select the best checkpoint. The results of
    the finished run are measured on samples of ``report_seed``, which no selection has used.

    Args:
        scores: metrics by name.
        n: number of samples, rounded down to a multiple of the number of classes.
        every_n_epochs: epochs between evaluations; the last epoch is always evaluated.
        seed: of the samples measured during training.
        report_seed: of the samples measured at the end; differs from ``seed``.
        cache: folder of stored results on real images; ``None``: the user's cache folder.
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
        whole_number(minimum=_FEWEST, maximum=MOST_IMAGES, n=n)
        whole_number(every_n_epochs=every_n_epochs)
        seed_number(seed=seed, report_seed=report_seed)
        require_memory(n)
        if seed == report_seed:
            raise InvalidValueError(
                f"report_seed must differ from seed, whose samples select the checkpoint, got {seed}", "report_seed"
            )
        self.scores = dict(scores)
        self.n = n
        self.every_n_epochs = every_n_epochs
        self.seed = seed
        self.report_seed = report_seed
        self.cache = cache
        self.results: Results = {}
        self.floors: dict[str, float] = {}
        self.seconds = 0.0

    def check(self, trainer: Trainer) -> None:
        """Checks that the run has the metrics logger, which this callback needs."""
        MetricsLogger.of(trainer)

    def setup(self, trainer: Trainer, pl_module: ConditionalGAN, stage: str) -> None:
        """Measures the real images, or reads their values from the store."""
        if trainer.is_global_zero:
            images, info, store = data_of(trainer).images, data_of(trainer).info, Store(self.cache)
            train = ImageSet(images.train_images, images.train_labels, info, store=store)
            test = ImageSet(images.test_images, images.test_labels, info, store=store)
            self.evaluator = Evaluator(self.scores, RealImages(train, test), self._balanced_n(info), store=store)
            if self.scores:
                log.info("measuring real images")
                self.floors = self.evaluator.floors()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Evaluates after every `every_n_epochs` epochs and after the last."""
        epoch = trainer.current_epoch + 1
        due = epoch % self.every_n_epochs == 0 or is_last_epoch(trainer)
        if due and trainer.is_global_zero and self.scores:
            start = time.perf_counter()
            self.results = self.measure(pl_module.ema.calibrated(), self.seed)
            self.seconds += time.perf_counter() - start
            self._write(trainer, pl_module, epoch)

    def measure(self, generator: torch.nn.Module, seed: int) -> Results:
        """Measures samples of a generator; every random state is restored."""
        if not self.scores or not self.evaluator.quantities:  # nothing is left without a classifier
            return {}
        info = self.evaluator.real.info
        n = -(-self.evaluator.samples_needed // info.num_classes) * info.num_classes
        counts = class_counts(self.evaluator.real.reference.shares, n)
        device = next(generator.parameters()).device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            samples = sample_classes(generator, info.labels, counts, seed)
            return self.evaluator.measure(ImageSet(*samples, info, device=device))

    def report(self, gan: ConditionalGAN, best: Path | None) -> tuple[Results, dict[str, object] | None]:
        """Measures fresh samples of a finished run, and of its best checkpoint (`images_seen` and `scores`) if any."""
        start = time.perf_counter()
        scores, of_best = self.measure(gan.ema.calibrated(), self.report_seed), None
        if self.scores and best is not None and best.is_file():
            try:
                checkpoint = read_checkpoint(best)
                seen = checkpoint["images_seen"]
                is_last = seen == gan.images_seen  # the same weights, measured above
                best_scores = scores if is_last else self._measure_state(gan, checkpoint["state_dict"])
                of_best = {"images_seen": seen, "scores": best_scores}
            except (UserError, OSError, RuntimeError) as error:  # RuntimeError: weights of another network
                log.warning("the result has no scores of the best checkpoint: %s", error)
        self.seconds += time.perf_counter() - start
        return scores, of_best

    def value_names(self, info: DatasetInfo) -> dict[str, Quantity]:
        """Returns the names of the values that a run on this data set measures, before it is loaded.

        A metric that finds its network of no use on the images is left out of the run, but not of these names.
        """
        n = self.n // info.num_classes * info.num_classes
        return {
            metric.value_name(key, metric.n or n, "test"): quantity
            for metric in self.scores.values()
            for key, quantity in metric.quantities.items()
        }

    def share(self, training_seconds: float) -> float:
        """Returns the share of the run's time so far, in 0..1, that evaluation took."""
        return self.seconds / max(self.seconds + training_seconds, 1e-9)

    def _balanced_n(self, info: DatasetInfo) -> int:
        """Returns the largest multiple of the number of classes up to `n`."""
        n = self.n // info.num_classes * info.num_classes
        if n == 0:
            raise UserError(
                f"callback.evaluation.n must be at least {info.num_classes}, the number of classes, got {self.n}"
            )
        require_memory(n, info.pixels)
        if n < self.n:
            log.info("evaluating %s samples, a multiple of the %d classes", f"{n:,}", info.num_classes)
        return n

    def _measure_state(self, gan: ConditionalGAN, state: Mapping[str, Tensor]) -> Results:
        """Measures the averaged generator of a checkpoint."""
        generator, prefix = copy.deepcopy(gan.ema.generator), "ema.generator."
        generator.load_state_dict({name.removeprefix(prefix): state[name] for name in state if name.startswith(prefix)})
        return self.measure(generator, self.report_seed)

    def _write(self, trainer: Trainer, gan: ConditionalGAN, epoch: int) -> None:
        values = {f"score/{name}": result["value"] for name, result in self.results.items()}
        values |= {f"floor/{name}": each["floor"] for name, each in self.results.items() if each["floor"] is not None}
        metrics_logger = MetricsLogger.of(trainer)
        share = self.share(metrics_logger.seconds)
        metrics_logger.write(trainer, gan, values | {"evaluation_share": round(share, 4)})
        if self.results:
            scores = [as_text(name, result) for name, result in self.results.items()]
            log.info("%s", wrapped_list(f"epoch {epoch}:", scores, terminal_columns()))
        if share > NOTABLE_SHARE and self.seconds > 60:
            log.info(
                "evaluation takes %.0f %% of the time;\n  callback.evaluation.every_n_epochs=%d reduces that",
                100 * share,
                2 * self.every_n_epochs,
            )

    def state_dict(self) -> dict[str, object]:
        """Returns the last results, which are those of the epochs up to the next evaluation."""
        return {"results": self.results, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        self.results = state_dict["results"]
        self.seconds = state_dict["seconds"]
