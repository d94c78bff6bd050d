"""What samples teach: a classifier is trained on them and tested on real images."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor
from tqdm import tqdm

from fmcgan.app.checks import MOST_IMAGES, one_of, positive_number, seed_number, whole_number
from fmcgan.metric.base import Measurement, Metric, RealImages
from fmcgan.metric.downstream import NETWORKS, Progress, design, read_classes, train_downstream
from fmcgan.metric.image_set import ImageSet, by_class, count_name

EPOCHS_BETWEEN_LINES = 10
"""Distance between two lines of the log, where there is no terminal for a bar."""

_log = logging.getLogger(__name__)


class GanTrain(Metric):
    """``gan_train_{network}_{n}``: share of the real test images that a classifier of the samples reads right, 0..1.

    GAN-train of Shmelkov et al. 2018, "How good is my GAN?", and the classification accuracy score of Ravuri and
    Vinyals 2019, "Classification accuracy score for conditional generative models". The higher the better: it takes
    samples that are good, of the class asked for, and as various as the class. ``by_class`` is of the classes of the
    real images; a low one names a class that the samples do not teach.

    The defaults with ``logistic_regression``, ``mlp`` and ``cnn`` are the protocol of the literature on differentially
    private generators: 60,000 samples, Adam, 50 epochs, the epoch chosen on samples that were held out. No real image
    has a part in training or in that choice. The test images are always those of the test split, whatever the
    reference.

    There is no interval: that over the samples would need a training for each resample.
    """

    fewest = 1000  # a hundred of each class, of which a tenth is held out

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
            n: how many samples it asks for; ``None``: as many as the evaluation takes. A tenth of them is held out.
            epochs: passes over the other nine tenths.
            batch_size: samples of one step.
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
        self.begins = (f"gan_train_{network}",)
        self.n = n
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = float(learning_rate)
        self.seed = seed
        self.quick = network != "cnn"

    @property
    def protocol(self) -> str:
        """How the classifier is trained; how many samples there are is for them to say."""
        steps = f"{self.epochs} epochs of Adam at {self.learning_rate!r} in batches of {self.batch_size}"
        network = f"{self.network} {design(self.network)}"
        return f"GAN-train of {network}: {steps}, seed {self.seed}, the epoch by a held-out tenth, content order"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, Measurement]:
        """Trains on the samples and tests on the real test images; the order of the samples is of no influence."""
        right = (self._reading(samples, real.test) == real.test.labels).double()
        name = f"gan_train_{self.network}_{count_name(len(samples))}"
        return {name: Measurement(right.mean().item(), "higher", None, by_class(right, real.test.labels))}

    def real_samples(self, real: RealImages) -> ImageSet:
        """The training images, always: the test images are what is read."""
        return real.train

    def _reading(self, samples: ImageSet, test: ImageSet) -> Tensor:
        """The classes, int64 [M], as which a classifier of the samples reads the test images."""

        def train_and_read() -> dict[str, Tensor]:
            # The kinds of device whose random state `train_downstream` puts back.
            device = samples.device if samples.device.type == "cuda" else "cpu"
            order = samples.content_order
            with _told(f"gan_train_{self.network}", self.epochs) as progress:
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
            return {"read": read_classes(network, test.images, device)}

        return samples.derived(f"{self.protocol}, read {test.fingerprint}", train_and_read)["read"]


@contextmanager
def _told(name: str, epochs: int) -> Iterator[Progress]:
    """Tells a person how far a training is: by a bar with the time left, or where there is no terminal by the log."""
    start = time.monotonic()
    with tqdm(desc=name, total=epochs, unit=" epochs", disable=None, leave=False) as bar:

        def tell(done: int, total: int) -> None:
            bar.update()
            if bar.disable and done % EPOCHS_BETWEEN_LINES == 0 and done < total:
                left = tqdm.format_interval((time.monotonic() - start) / done * (total - done))
                _log.info("%s: epoch %d of %d, %s left", name, done, total, left)

        yield tell
