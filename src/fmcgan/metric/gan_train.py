"""GAN-train: accuracy on real images of a classifier trained on the samples."""

import copy
import functools
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fmcgan.app.checks import MOST_IMAGES, one_of, positive_number, seed_number, whole_number
from fmcgan.app.progress import epoch_progress
from fmcgan.data.garments import GARMENTS
from fmcgan.data.images import to_float
from fmcgan.data.info import DatasetInfo
from fmcgan.metric.base import Metric
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.value import MetricValue, Quantity, mean_value

HELD_OUT_SHARE = 0.1  # of the images, to select the epoch
EPOCHS_BETWEEN_LINES = 10  # of the log, if there is no terminal for a progress bar


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

    def __init__(
        self,
        network: str,
        n: int | None = 60_000,
        epochs: int = 50,
        batch_size: int = 128,
        learning_rate: float = 3e-4,
        seed: int = 0,
    ) -> None:
        """Checks the parameters; the network is a key of `NETWORKS`.

        A tenth of ``n`` samples (``None``: as many as the evaluation has) is held out; the epochs are passes over the
        others. The seed is that of initial weights, held-out samples, order and dropout.
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
        self.suffix = f"_{network}"
        self.settle()

    def settle(self) -> None:
        """Sets the protocol and the number of samples needed: a hundred per class, of which a tenth is held out."""
        self.protocol = self._protocol(self.info)
        self.min_samples = 100 * self.info.num_classes

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Trains on the samples and tests on the real test images; independent of the order of the samples."""
        protocol = f"{self._protocol(samples.info)}, read {real.test.fingerprint}"
        predicted = samples.derived(protocol, lambda: {"read": self._predictions(samples, real.test)})["read"]
        return {f"gan_train_{self.network}": mean_value(predicted == real.test.labels, real.test, interval_of=None)}

    def real_samples(self, real: RealImages) -> ImageSet:
        """Returns the training images, since the test images are classified."""
        return real.train

    def _protocol(self, info: DatasetInfo) -> str:
        steps = f"{self.epochs} epochs of Adam at {self.learning_rate!r} in batches of {self.batch_size}"
        selection = f"seed {self.seed}, the epoch by a held-out tenth, content order"
        return f"GAN-train of {self.network} {design(self.network, info)}: {steps}, {selection}"

    def _predictions(self, samples: ImageSet, test: ImageSet) -> Tensor:
        """Predicts the classes of the test images, int64 [M], by a classifier trained on the samples."""
        # `train_downstream` restores the random state of these kinds of device only.
        device = samples.device if samples.device.type == "cuda" else torch.device("cpu")
        order = samples.content_order
        with epoch_progress(f"gan_train_{self.network}", self.epochs, EPOCHS_BETWEEN_LINES) as progress:
            network = train_downstream(
                builder(self.network, samples.info),
                samples.images[order],
                samples.labels[order],
                epochs=self.epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                seed=self.seed,
                device=device,
                progress=progress,
            )
        return predict_classes(network, test.images, device)


def logistic_regression(channels: int = 1, size: int = 28, num_classes: int = 10) -> nn.Module:
    """Builds a linear classifier: 7,850 parameters for ten classes of grey 28×28."""
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, num_classes))


def mlp(channels: int = 1, size: int = 28, num_classes: int = 10) -> nn.Module:
    """Builds a hidden layer of 100 with ReLU: 784-100-10 with 79,510 parameters for ten classes of grey 28×28."""
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, 100), nn.ReLU(), nn.Linear(100, num_classes))


def cnn(channels: int = 1, size: int = 28, num_classes: int = 10) -> nn.Module:
    """Builds three 3×3 convolutions of 32, 64 and 128 channels, dropout 0.5 and dense 128.

    It has 241,546 parameters for ten classes of grey 28×28. The literature does not state the padding. Zero padding
    (896,906 parameters) gives 92.1 % on real data. The first convolution of images below 20×20 is padded, else the
    third would have no room.
    """
    padding = int(size < 20)
    last = (((size + 2 * padding - 2) // 2 - 2) // 2 - 2) ** 2  # positions
    return nn.Sequential(
        *(nn.Conv2d(channels, 32, 3, padding=padding), nn.MaxPool2d(2), nn.ReLU(), nn.Dropout(0.5)),  # of 28: 13×13
        *(nn.Conv2d(32, 64, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Dropout(0.5)),  # 5×5
        *(nn.Conv2d(64, 128, 3), nn.ReLU()),  # 3×3
        *(nn.Flatten(), nn.Linear(128 * last, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, num_classes)),
    )


def quick_cnn(channels: int = 1, size: int = 28, num_classes: int = 10) -> nn.Module:
    """Builds two strided 3×3 convolutions of 16 and 32 channels and a dense layer: 20,490 parameters for 28×28."""
    return nn.Sequential(
        *(nn.Conv2d(channels, 16, 3, stride=2, padding=1), nn.ReLU()),  # of 28: 14×14
        *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()),  # 7×7
        *(nn.Flatten(), nn.Linear(32 * (size // 4) ** 2, num_classes)),
    )


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    build.__name__: build for build in (logistic_regression, mlp, cnn, quick_cnn)
}
"""Builders by name, of channels, size and classes; the networks map float [N, C, H, W] in [-1, 1] to logits [N, K]."""


def builder(name: str, info: DatasetInfo) -> Callable[[], nn.Module]:
    """Returns the builder of a network of `NETWORKS` for the images of a data set."""
    return functools.partial(NETWORKS[name], info.channels, info.size, info.num_classes)


def design(name: str, info: DatasetInfo = GARMENTS) -> str:
    """Hashes the layers of a network of `NETWORKS` for a data set to eight hexadecimal digits."""
    with torch.device("meta"):  # draws nothing
        return hashlib.sha256(repr(builder(name, info)()).encode()).hexdigest()[:8]


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
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> nn.Module:
    """Trains a classifier with Adam; returns the first epoch of highest accuracy on a held-out tenth of the images.

    Images are uint8 [N, C, H, W] and labels int64 [N] in 0..K - 1, both on the CPU, N at least 2. Dropout and rounding
    depend on the device, the CPU or a CUDA device. After every epoch, ``progress`` gets the numbers of epochs done and
    of all epochs. The network is returned on the device, in eval mode; the global random state is unchanged.
    """
    device = torch.device(device)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator)
    first = max(1, int(len(labels) * HELD_OUT_SHARE))
    held_out, training = order[:first], order[first:]
    with seeded(seed, device):
        network = build().to(device).to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(network.parameters(), learning_rate, fused=True)
        best, best_accuracy = copy.deepcopy(network.state_dict()), -1.0
        for epoch in range(1, epochs + 1):
            network.train()
            for chosen in training[torch.randperm(len(training), generator=generator)].split(batch_size):
                optimizer.zero_grad(set_to_none=True)
                logits = network(prepared(images[chosen]).to(device))
                F.cross_entropy(logits, labels[chosen].to(device)).backward()
                optimizer.step()
            accuracy = downstream_accuracy(network, images[held_out], labels[held_out], device)
            if accuracy > best_accuracy:
                best, best_accuracy = copy.deepcopy(network.state_dict()), accuracy
            progress(epoch, epochs)
    network.load_state_dict(best)
    return network.eval()


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seeds the random numbers of the CPU and of a CUDA device, for weights and dropout, and restores them at the end.

    The state of other kinds of device is not restored.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        # torch.manual_seed would seed every device, also those whose state is not restored.
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


@torch.no_grad()
def predict_logits(network: nn.Module, images: Tensor, device: torch.device | str) -> Tensor:
    """Computes the logits, float32 [N, K] on the CPU, of uint8 images [N, C, H, W]; sets eval mode."""
    network.eval()
    return torch.cat([network(prepared(some).to(device)).cpu() for some in images.split(1000)])


def predict_classes(network: nn.Module, images: Tensor, device: torch.device | str) -> Tensor:
    """Predicts the classes, int64 [N] on the CPU, of uint8 images [N, C, H, W]; sets eval mode."""
    return predict_logits(network, images, device).argmax(dim=1)


def downstream_accuracy(network: nn.Module, images: Tensor, labels: Tensor, device: torch.device | str) -> float:
    """Computes the accuracy, in 0..1, on uint8 images [N, C, H, W] with labels [N]; sets eval mode."""
    return (predict_classes(network, images, device) == labels).sum().item() / len(labels)


def prepared(images: Tensor) -> Tensor:
    """Converts uint8 [N, C, H, W] to the networks' input: float32 in [-1, 1], channels last."""
    return to_float(images).contiguous(memory_format=torch.channels_last)
