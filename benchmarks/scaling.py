"""Measures how the cost of an epoch grows with batch size, width and number of images."""

import functools

import torch

from benchmarks.bare import BareLoop
from benchmarks.clock import Row, rates, spread, time_interleaved
from benchmarks.setting import Setting
from fmcgan.data.batches import ImageBatches, ShuffledBatches

BATCHES = (32, 64, 128, 256, 512)
WIDTHS = (16, 32, 64)
DEFAULT_BATCH, DEFAULT_WIDTH = 128, 32
IMAGES = (60_000, 120_000, 240_000)


def measure(setting: Setting) -> list[Row]:
    """Returns rows of `dcgan` in fp32 by batch size and width, and of reading an epoch by number of images."""
    return _by_batch_and_width(setting) + [_by_data(setting, n) for n in IMAGES]


def _by_batch_and_width(setting: Setting) -> list[Row]:
    shapes = dict.fromkeys(
        [*((batch, DEFAULT_WIDTH) for batch in BATCHES), *((DEFAULT_BATCH, width) for width in WIDTHS)]
    )
    loops = {
        (batch, width): BareLoop(setting.gan(f"network.width={width}"), setting.images, batch, "32-true")
        for batch, width in shapes
    }
    actions = {shape: functools.partial(loop.run, setting.steps) for shape, loop in loops.items()}
    rows = []
    for (batch, width), seconds in time_interleaved(actions, setting.device, setting.seconds).items():
        speed = rates(batch * setting.steps, seconds)
        epoch = IMAGES[0] / speed["median"]
        rows.append({"batch": batch, "width": width, "images/s": speed, "images": IMAGES[0], "epoch s": epoch})
    return rows


def _by_data(setting: Setting, n: int) -> Row:
    images, labels = setting.images.train_images, setting.images.train_labels
    index = torch.arange(n, device=setting.device) % len(images)
    data = ImageBatches(images[index], labels[index])
    order = ShuffledBatches(n, DEFAULT_BATCH, seed=0, device=setting.device)

    def fetch_an_epoch() -> None:
        for batch in order:
            data[batch]

    seconds = time_interleaved({"": fetch_an_epoch}, setting.device, seconds=0, at_least=5)[""]
    return {"batch": DEFAULT_BATCH, "images": n, "fetching all batches of an epoch s": spread(seconds)}
