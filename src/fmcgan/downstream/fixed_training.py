"""Training of a classifier with a fixed number of optimizer steps, and what it predicts."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fmcgan.metric.feature.classifier_training import LARGEST_SHIFT, WEIGHT_DECAY, augmented
from fmcgan.metric.gan_train import predict_logits, prepared, seeded
from fmcgan.metric.results_store import Arrays

OPTIMIZER = f"AdamW with weight decay {WEIGHT_DECAY:g} and one cycle of the learning rate"
AUGMENTATION = f"shifts of up to {LARGEST_SHIFT} pixel"


def train_fixed(
    build: Callable[[], nn.Module],
    images: Tensor,
    labels: Tensor,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    augment: bool = False,
    flips: bool = False,
    device: torch.device | str = "cpu",
) -> nn.Module:
    """Trains a classifier with AdamW and one cycle of the learning rate; no image chooses anything.

    Every step has ``batch_size`` images, in passes over a new random order. So the number of steps and of images seen
    does not depend on the number of images. The global random state is unchanged.

    Args:
        build: makes a network from float32 [B, C, H, W] in [-1, 1] to logits [B, K].
        images: uint8 [N, C, H, W] on the CPU, at least one.
        labels: int64 [N].
        steps: optimizer steps.
        batch_size: images of a step.
        learning_rate: largest one of the cycle.
        seed: of weights, order, augmentation and dropout.
        augment: whether images are shifted at random.
        flips: whether augmented images are also mirrored.
        device: of the training.
    """
    device = torch.device(device)
    generator = torch.Generator().manual_seed(seed)
    with seeded(seed, device):
        network = build().to(device).to(memory_format=torch.channels_last).train()
        optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
        batches = _batches(len(labels), batch_size, generator)
        for _ in range(steps):
            chosen = next(batches)
            batch = augmented(images[chosen], generator, flips) if augment else images[chosen]
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(network(prepared(batch).to(device)), labels[chosen].to(device)).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def predictions(network: nn.Module, images: Tensor, device: torch.device | str) -> Arrays:
    """Returns ``predicted``, the most probable class, int64 [M], and ``confidence``, its probability, float32 [M]."""
    confidence, predicted = predict_logits(network, images, device).softmax(dim=1).max(dim=1)
    return {"predicted": predicted, "confidence": confidence}


def _batches(n: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yields indices, int64 [batch_size]; a batch may end one pass over the ``n`` images and begin the next."""
    waiting = torch.empty(0, dtype=torch.int64)
    while True:
        while len(waiting) < batch_size:
            waiting = torch.cat([waiting, torch.randperm(n, generator=generator)])
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]
