"""GAN-train: accuracy on real images of a classifier trained on the samples."""

import copy
import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from fmcgan.app.checks import MOST_IMAGES, one_of, positive_number, seed_number, whole_number
from fmcgan.data.classes import NUM_CLASSES
from fmcgan.data.images import to_float
from fmcgan.metric.base import Metric
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.value import MetricValue, Quantity, by_class

Progress = Callable[[int, int], None]
"""Called with the number of epochs done and of all epochs."""

HELD_OUT_SHARE = 0.1
"""Share of the images that are held out to select the epoch."""

EPOCHS_BETWEEN_LINES = 10
"""Epochs between two log lines, if there is no terminal for a progress bar."""

_log = logging.getLogger(__name__)


class GanTrain(Metric):
    """``gan_train_{network}_{n}``: accuracy on the real test images of a classifier trained on the samples, 0..1.

    GAN-train of Shmelkov et al. 2018, "How good is my GAN?", and the classification accuracy score of Ravuri and
    Vinyals 2019, "Classification accuracy score for conditional generative models". High values need good quality,
    correct labels and diversity within classes. ``by_class`` groups the test images.

    The defaults with ``logistic_regression``, ``mlp`` and ``cnn`` are the protocol of the literature on differentially
    private generators: 60,000 samples, Adam, 50 epochs, the epoch selected on held-out samples. Real images are used
    for neither training nor selection. The test split is used, whatever the reference.

    There is no interval: each resample would need a training.
    """

    kinds: ClassVar = {"gan_train": Quantity("GAN-train", "higher", lowest=0, highest=1)}
    uses_reference = False
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
            network: a key of `NETWORKS`.
            n: number of samples, of which a tenth is held out; ``None``: that of the evaluation.
            epochs: passes over the other nine tenths.
            batch_size: samples per step.
            learning_rate: of Adam.
            seed: of initial weights, held-out samples, order and dropout.

        Raises:
            InvalidValueError: a value is out of range, or the network is unknown.
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
        """Network and training, without the number of samples."""
        steps = f"{self.epochs} epochs of Adam at {self.learning_rate!r} in batches of {self.batch_size}"
        network = f"{self.network} {design(self.network)}"
        return f"GAN-train of {network}: {steps}, seed {self.seed}, the epoch by a held-out tenth, content order"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Trains on the samples and tests on the real test images; independent of the order of the samples."""
        right = (self._predictions(samples, real.test) == real.test.labels).double()
        return {f"gan_train_{self.network}": MetricValue(right.mean().item(), None, by_class(right, real.test.labels))}

    def real_samples(self, real: RealImages) -> ImageSet:
        """Returns the training images, since the test images are classified."""
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
    """Shows the progress of a training as a bar or, without a terminal, as log lines."""
    start = time.monotonic()
    with tqdm(desc=name, total=epochs, unit=" epochs", disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.update()
            if bar.disable and done % EPOCHS_BETWEEN_LINES == 0 and done < total:
                left = tqdm.format_interval((time.monotonic() - start) / done * (total - done))
                _log.info("%s: epoch %d of %d, %s left", name, done, total, left)

        yield show


def logistic_regression() -> nn.Module:
    """Builds a linear classifier: 7,850 parameters."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, NUM_CLASSES))


def mlp() -> nn.Module:
    """Builds 784-100-10 with ReLU: 79,510 parameters."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, NUM_CLASSES))


def cnn() -> nn.Module:
    """Builds three 3×3 convolutions of 32, 64 and 128 channels, dropout 0.5 and dense 128: 241,546 parameters.

    The literature does not state the padding. Zero padding (896,906 parameters) gives 92.1 % on real data.
    """
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Dropout(0.5)),  # [N, 32, 13, 13]
        *(nn.Conv2d(32, 64, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Dropout(0.5)),  # [N, 64, 5, 5]
        *(nn.Conv2d(64, 128, 3), nn.ReLU()),  # [N, 128, 3, 3]
        *(nn.Flatten(), nn.Linear(128 * 3 * 3, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, NUM_CLASSES)),
    )


def quick_cnn() -> nn.Module:
    """Builds two strided 3×3 convolutions of 16 and 32 channels and one dense layer: 20,490 parameters."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU()),  # [N, 16, 14, 14]
        *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()),  # [N, 32, 7, 7]
        *(nn.Flatten(), nn.Linear(32 * 7 * 7, NUM_CLASSES)),
    )


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "logistic_regression": logistic_regression,
    "mlp": mlp,
    "cnn": cnn,
    "quick_cnn": quick_cnn,
}
"""Builders by name; the networks map float [N, 1, 28, 28] in [-1, 1] to logits [N, 10]."""


def design(name: str) -> str:
    """Hashes the layers of a network of `NETWORKS` to eight hexadecimal digits."""
    with torch.device("meta"):  # draws nothing
        return hashlib.sha256(repr(NETWORKS[name]()).encode()).hexdigest()[:8]


def train_downstream(
    build: Callable[[], nn.Module],
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 3e-4,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress = lambda done, total: None,
) -> nn.Module:
    """Trains a classifier with Adam; returns the first epoch of highest accuracy on a held-out tenth of the images.

    Args:
        build: builds the untrained network, one of `NETWORKS`.
        images: uint8 [N, 1, 28, 28] on the CPU, N at least 2.
        labels: int64 [N] in 0..9 on the CPU.
        epochs: passes over the other nine tenths.
        batch_size: images per step.
        learning_rate: of Adam.
        seed: of initial weights, held-out images, order and dropout; the global random state is unchanged.
        device: the CPU or a CUDA device; dropout and rounding depend on it.
        progress: called after every epoch.

    Returns:
        The network in eval mode, on the device.
    """
    device = torch.device(device)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator)
    first = max(1, int(len(labels) * HELD_OUT_SHARE))
    held_out, training = order[:first], order[first:]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        _seed_global(seed, device)
        network = build().to(device).to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(network.parameters(), learning_rate, fused=True)
        best, best_accuracy = copy.deepcopy(network.state_dict()), -1.0
        for epoch in range(1, epochs + 1):
            chosen = training[torch.randperm(len(training), generator=generator)]
            _train_epoch(network, optimizer, images[chosen], labels[chosen], batch_size, device)
            accuracy = downstream_accuracy(network, images[held_out], labels[held_out], device)
            if accuracy > best_accuracy:
                best, best_accuracy = copy.deepcopy(network.state_dict()), accuracy
            progress(epoch, epochs)
    network.load_state_dict(best)
    return network.eval()


@torch.no_grad()
def predict_classes(network: nn.Module, images: Tensor, device: torch.device | str) -> Tensor:
    """Predicts the classes, int64 [N] on the CPU, of uint8 images [N, 1, 28, 28]; sets eval mode."""
    network.eval()
    return torch.cat([network(_prepared(some).to(device)).argmax(dim=1).cpu() for some in images.split(1000)])


def downstream_accuracy(network: nn.Module, images: Tensor, labels: Tensor, device: torch.device | str) -> float:
    """Computes the accuracy, in 0..1, on uint8 images [N, 1, 28, 28] with labels [N]; sets eval mode."""
    return (predict_classes(network, images, device) == labels).sum().item() / len(labels)


def _seed_global(seed: int, device: torch.device) -> None:
    # torch.manual_seed would seed every device, also those whose state is not restored.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def _train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    batch_size: int,
    device: torch.device,
) -> None:
    """Passes once over uint8 images [N, 1, 28, 28] and labels [N], in their order."""
    network.train()
    for some, target in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(network(_prepared(some).to(device)), target.to(device)).backward()
        optimizer.step()


def _prepared(images: Tensor) -> Tensor:
    return to_float(images).contiguous(memory_format=torch.channels_last)
