"""GAN-train: a classifier is trained on the samples and tested on real images."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from torch import Tensor
from tqdm import tqdm

from fmcgan.app.checks import MOST_IMAGES, one_of, positive_number, seed_number, whole_number
from fmcgan.metric.base import Metric
from fmcgan.metric.downstream import NETWORKS, Progress, design, predict_classes, train_downstream
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.value import MetricValue, Quantity, by_class

EPOCHS_BETWEEN_LINES = 10
"""Epochs between two lines of the log, where there is no terminal for a progress bar."""

_log = logging.getLogger(__name__)


class GanTrain(Metric):
    """``gan_train_{network}_{n}``: accuracy on the real test images of a classifier trained on the samples, 0..1.

    GAN-train of Shmelkov et al. 2018, "How good is my GAN?", and the classification accuracy score of Ravuri and
    Vinyals 2019, "Classification accuracy score for conditional generative models". High values need samples that are
    good, of the class asked for, and as varied as the class. ``by_class`` groups the test images: a low value names a
    class that the samples do not teach.

    The defaults with ``logistic_regression``, ``mlp`` and ``cnn`` are the protocol of the literature on differentially
    private generators: 60,000 samples, Adam, 50 epochs, the epoch chosen on held-out samples. Real images take no part
    in training or in that choice. The test split is used whatever the reference is.

    There is no interval: each resample would need a training.
    """

    kinds: ClassVar = {"gan_train": Quantity("GAN-train", "higher", lowest=0, highest=1)}
    names_reference = False
    min_samples = 1000  # a hundred per class, of which a tenth is held out

    def __init__(
        self,
        network: str,
        n: int | None = 60_000,
        epochs: int = 50,
        batch_size: int = 128,
        learning_rate: float = 3e-4,
        seed: int = 0,
    ) -> None:
        """Checks the parameters.

        Args:
            network: a key of `fmcgan.metric.downstream.NETWORKS`.
            n: number of samples, of which a tenth is held out; ``None``: the number of the evaluation.
            epochs: passes over the other nine tenths.
            batch_size: samples per step.
            learning_rate: of Adam.
            seed: of initial weights, held-out samples, order and dropout.

        Raises:
            InvalidValueError: a value is out of range, or there is no such network.
        """
        one_of(tuple(NETWORKS), network=network)
        if n is not None:
            whole_number(minimum=2, maximum=MOST_IMAGES, n=n)
        whole_number(maximum=10_000, epochs=epochs)
        whole_number(maximum=MOST_IMAGES, batch_size=batch_size)
        seed_number(seed=seed)
        positive_number(learning_rate=learning_rate)
        self.network = network
        self.n = n
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = float(learning_rate)
        self.seed = seed
        self.quick = network != "cnn"

    @property
    def quantities(self) -> dict[str, Quantity]:
        """The accuracy."""
        return {f"gan_train_{self.network}": self.kinds["gan_train"]}

    @property
    def protocol(self) -> str:
        """The network and its training; names of values carry the number of samples."""
        steps = f"{self.epochs} epochs of Adam at {self.learning_rate!r} in batches of {self.batch_size}"
        network = f"{self.network} {design(self.network)}"
        return f"GAN-train of {network}: {steps}, seed {self.seed}, the epoch by a held-out tenth, content order"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Trains on the samples and tests on the real test images; the order of the samples has no influence."""
        right = (self._predictions(samples, real.test) == real.test.labels).double()
        return {f"gan_train_{self.network}": MetricValue(right.mean().item(), None, by_class(right, real.test.labels))}

    def real_samples(self, real: RealImages) -> ImageSet:
        """Chooses the training images, since the test images are those that are classified."""
        return real.train

    def _predictions(self, samples: ImageSet, test: ImageSet) -> Tensor:
        """Predicts the classes of the test images, int64 [M], by a classifier trained on the samples."""

        def train_and_predict() -> dict[str, Tensor]:
            # `train_downstream` restores the random state of these kinds of device only.
            device = samples.device if samples.device.type == "cuda" else "cpu"
            order = samples.content_order
            with _progress(f"gan_train_{self.network}", self.epochs) as progress:
                network = train_downstream(
                    NETWORKS[self.network],
                    samples.images[order],
                    samples.labels[order],
                    epochs=self.epochs,
                    batch_size=self.batch_size,
                    learning_rate=self.learning_rate,
                    seed=self.seed,
                    device=device,
                    progress=progress,
                )
            return {"read": predict_classes(network, test.images, device)}

        return samples.derived(f"{self.protocol}, read {test.fingerprint}", train_and_predict)["read"]


@contextmanager
def _progress(name: str, epochs: int) -> Iterator[Progress]:
    """Shows the progress of a training as a bar or, without a terminal, as lines of the log."""
    start = time.monotonic()
    with tqdm(desc=name, total=epochs, unit=" epochs", disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.update()
            if bar.disable and done % EPOCHS_BETWEEN_LINES == 0 and done < total:
                left = tqdm.format_interval((time.monotonic() - start) / done * (total - done))
                _log.info("%s: epoch %d of %d, %s left", name, done, total, left)

        yield show
