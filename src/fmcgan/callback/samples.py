"""Sample grids of fixed latent vectors during training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer
from PIL import Image

from fmcgan.app import run_dir
from fmcgan.app.checks import MOST_SHOWN, seed_number, whole_number
from fmcgan.callback.tracker import trackers_of
from fmcgan.callback.trainer import DataModule, data_of, is_last_epoch
from fmcgan.data.images import to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.files import write_png
from fmcgan.figure.grid import class_grid
from fmcgan.training.gan import ConditionalGAN
from fmcgan.training.latent import draw_latents
from fmcgan.training.sampling import render

_MOST_ROWS = 26  # classes in a grid


class SampleGrid(Callback):
    """Draws ``samples/epoch_010.png`` from the averaged generator: a row per class, a column per fixed latent vector.

    Of more than 26 classes, the first 26 are drawn. Epoch 0 is before training. The last epoch is always drawn.
    ``real.png`` shows as many training images, the first of each class.

    Args:
        epochs: epochs to draw, such as ``[0, 10, 20, 29]``; ``None``: every `every_n_epochs`.
        every_n_epochs: epochs between grids if `epochs` is not given.
        n_columns: number of latent vectors.
        seed: of the latent vectors.
    """

    def __init__(
        self, epochs: Sequence[int] | None = None, every_n_epochs: int = 1, n_columns: int = 10, seed: int = 0
    ) -> None:
        whole_number(every_n_epochs=every_n_epochs)
        whole_number(maximum=MOST_SHOWN, n_columns=n_columns)
        seed_number(seed=seed)
        whole_number(minimum=0, **{f"epochs[{index}]": epoch for index, epoch in enumerate(epochs or [])})
        self.epochs = None if epochs is None else set(epochs)
        self.every_n_epochs = every_n_epochs
        self.n_columns = n_columns
        self.seed = seed

    def on_train_start(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Draws the real images, and epoch 0 unless the run is resumed."""
        if trainer.is_global_zero:
            folder = Path(trainer.default_root_dir)
            write_png(self.real_grid(data_of(trainer)), folder / run_dir.REAL_IMAGES)
        if pl_module.images_seen == 0 and self._is_due(0):
            self._draw(trainer, pl_module, 0)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Draws the epoch if it is due."""
        epoch = trainer.current_epoch + 1
        if self._is_due(epoch) or is_last_epoch(trainer):
            self._draw(trainer, pl_module, epoch)

    def real_grid(self, data: DataModule) -> Image.Image:
        """Draws the first training images of each class; white where a class has fewer than the columns."""
        names, images = data.info.class_names[:_MOST_ROWS], data.images
        shape = len(names), self.n_columns, *data.info.shape
        rows = torch.full(shape, 255, dtype=torch.uint8)
        for label, row in enumerate(rows):
            found = (images.train_labels == label).nonzero().squeeze(1)[: self.n_columns]
            row[: len(found)] = images.train_images[found]
        return class_grid(to_pixels(rows), names, "real training images")

    def _is_due(self, epoch: int) -> bool:
        return epoch % self.every_n_epochs == 0 if self.epochs is None else epoch in self.epochs

    def _draw(self, trainer: Trainer, gan: ConditionalGAN, epoch: int) -> None:
        if not trainer.is_global_zero:
            return
        info = data_of(trainer).info
        names, title = info.class_names[:_MOST_ROWS], f"epoch {epoch}, {gan.images_seen:,} images seen"
        if len(names) < info.num_classes:
            title += f", first {len(names)} of {info.num_classes} classes"
        grid = class_grid(self.images(gan, info), names, title)
        folder = Path(trainer.default_root_dir) / run_dir.SAMPLES
        folder.mkdir(exist_ok=True)
        write_png(grid, folder / f"epoch_{epoch:03d}.png")
        for tracker in trackers_of(trainer):
            tracker.add_image("samples", grid, gan.images_seen)

    def images(self, gan: ConditionalGAN, info: DatasetInfo) -> np.ndarray:
        """Generates the images of a grid, uint8 [classes, columns, H, W] or [classes, columns, H, W, 3]."""
        generator = gan.ema.calibrated()
        latents = draw_latents(self.seed, 0, self.n_columns, gan.latent_dim)
        n_classes = min(info.num_classes, _MOST_ROWS)
        labels = torch.arange(n_classes).repeat_interleave(self.n_columns)
        images = render(generator, latents.repeat(n_classes, 1), labels)
        return to_pixels(images.unflatten(0, (n_classes, self.n_columns)))
