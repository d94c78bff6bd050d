"""Classifiers of the train-on-synthetic, test-on-real protocol, and their training."""

import copy
import hashlib
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fmcgan.data.classes import NUM_CLASSES
from fmcgan.data.images import to_float

Progress = Callable[[int, int], None]
"""Called with the number of epochs done and of all epochs."""

HELD_OUT_SHARE = 0.1
"""Share of the images that choose the epoch and are not trained on."""


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
    """Trains a classifier with Adam and returns the epoch of highest accuracy on a held-out tenth of the images.

    Of equally good epochs the earliest is chosen.

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
        network = build().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
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
