"""Trains the classifier of the metrics.

``python -m fmcgan.metric.train_classifier`` with its default values trained the shipped weights and wrote
``weights/classifier.json``. The test images are used once, at the end, and for no choice.
"""

import argparse
import datetime
import logging
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.backends import cpu

from fmcgan.app.checks import whole_number
from fmcgan.app.errors import UserError
from fmcgan.data.datamodule import ImageSplits
from fmcgan.data.fashion_mnist import FashionMNISTData
from fmcgan.metric.feature.classifier import Classifier, load_classifier, new_classifier, save_classifier

BATCH_SIZE = 256
HIGHEST_LEARNING_RATE = 6e-3
WEIGHT_DECAY = 0.05
LARGEST_SHIFT = 1

_log = logging.getLogger(__name__)


def train(images: Tensor, labels: Tensor, epochs: int, seed: int) -> Classifier:
    """Trains a new classifier with AdamW and one cycle of the learning rate (Smith and Topin 2017).

    Images are uint8 [N, 1, 28, 28], labels int64 [N], the epochs at least 1. Label smoothing is not used: it would
    contract the features of a class and hide its diversity. The global random state is unchanged.
    """
    whole_number(epochs=epochs)
    generator = torch.Generator().manual_seed(seed)
    classifier = new_classifier(seed).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=WEIGHT_DECAY)
    batches = -(-len(images) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, HIGHEST_LEARNING_RATE, total_steps=epochs * batches)
    start = time.monotonic()
    for epoch in range(1, epochs + 1):
        total = 0.0
        for chosen in torch.randperm(len(images), generator=generator).split(BATCH_SIZE):
            loss = F.cross_entropy(classifier(augmented(images[chosen], generator))[1], labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        seconds = time.monotonic() - start
        left = seconds / epoch * (epochs - epoch)
        _log.info("epoch %d/%d  loss %.4f  %.0f s, %.0f s left", epoch, epochs, total / len(images), seconds, left)
    return classifier


def augmented(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirrors half of the images uint8 [N, 1, 28, 28] and shifts all by up to one pixel, filling with black."""
    count, _, height, width = images.shape
    padded = F.pad(images[:, 0], (LARGEST_SHIFT,) * 4)  # [N, 30, 30]
    shift = torch.randint(0, 2 * LARGEST_SHIFT + 1, (2, count, 1), generator=generator)
    mirrored = torch.rand(count, 1, generator=generator) < 0.5
    rows = torch.arange(height) + shift[0]  # [N, 28]
    columns = torch.arange(width)
    columns = torch.where(mirrored, columns.flip(0), columns) + shift[1]
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]].unsqueeze(1)


@torch.no_grad()
def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """Computes the accuracy, in 0..1."""
    predicted = torch.cat([classifier(some)[1].argmax(dim=1) for some in images.split(500)])
    return (predicted == labels).double().mean().item()


def train_and_save(images: ImageSplits, epochs: int, seed: int, output: Path) -> dict[str, object]:
    """Trains, writes the weights, and ``<name>.json`` beside them; measures the written float16 weights on test images.

    Returns the metadata in that file.
    """
    start = time.monotonic()
    classifier = train(images.train_images, images.train_labels, epochs=epochs, seed=seed)
    record: dict[str, object] = {
        "command": shlex.join(["python", "-m", "fmcgan.metric.train_classifier", *sys.argv[1:]]),
        "date": datetime.date.today().isoformat(),
        "seed": seed,
        "epochs": epochs,
        "training_seconds": round(time.monotonic() - start),
        "hardware": f"{platform.machine()} CPU, {torch.get_num_threads()} threads, {cpu.get_cpu_capability()}",
        "torch": torch.__version__,
        "parameters": sum(parameter.numel() for parameter in classifier.parameters()),
    }
    save_classifier(classifier, output, record)
    record["test_accuracy"] = accuracy(load_classifier(output), images.test_images, images.test_labels)
    save_classifier(classifier, output, record)
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command, see ``--help``."""
    parser = argparse.ArgumentParser(prog="python -m fmcgan.metric.train_classifier", description=__doc__)
    parser.add_argument("--data-root", default="data", help="folder of the data set (default: %(default)s)")
    mirror = "folder or address of the data set (default: FMCGAN_DATA_MIRROR, else the official ones)"
    parser.add_argument("--data-mirror", default=os.environ.get("FMCGAN_DATA_MIRROR"), help=mirror)
    parser.add_argument("--epochs", type=int, default=12, help="passes over the 60,000 images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("classifier.pt"), help="default: ./%(default)s")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        data = FashionMNISTData(options.data_root, options.data_mirror, batch_size=BATCH_SIZE, seed=options.seed)
        data.prepare_data()
        data.setup("fit")
        record = train_and_save(data.images, options.epochs, options.seed, options.output)
    except (UserError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    _log.info("%s: accuracy %.4f on the test images", options.output, record["test_accuracy"])


if __name__ == "__main__":
    main()
