"""Grids of the same latent vectors, again and again as training goes on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer

from fmcgan.app import run_dir
from fmcgan.app.checks import MOST_SHOWN, seed_number, whole_number
from fmcgan.callback.tensorboard import TensorBoard
from fmcgan.data.classes import CLASS_NAMES
from fmcgan.figure.grid import class_grid
from fmcgan.figure.png import write_png
from fmcgan.training.latent import draw_latents
from fmcgan.training.sampling import render


class SampleGrid(Callback):
    """Draws ``samples/epoch_010.png``: rows are classes, columns the same fixed noise, from the averaged generator.

    Epochs count finished ones: 0 is before training. The last epoch is always drawn.

    Args:
        epochs: the epochs to draw, such as ``[0, 10, 20, 29]``; ``None`` draws every `every_n_epochs`.
        every_n_epochs: distance between grids when `epochs` is not given.
        n_columns: latent vectors.
        seed: of the latent vectors.
    """

    def __init__(
        self, epochs: Sequence[int] | None = None, every_n_epochs: int = 1, n_columns: int = 10, seed: int = 0
    ) -> None:
        whole_number(every_n_epochs=every_n_epochs)
        whole_number(maximum=MOST_SHOWN, n_columns=n_columns)
        seed_number(seed=seed)
        whole_number(minimum=0, **{f"epochs[{place}]": epoch for place, epoch in enumerate(epochs or [])})
        self.epochs = None if epochs is None else set(epochs)
        self.every_n_epochs = every_n_epochs
        self.n_columns = n_columns
        self.seed = seed

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Draws epoch 0, unless training goes on from a checkpoint."""
        if pl_module.images_seen == 0 and self._wanted(0):
            self._draw(trainer, pl_module, 0)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Draws the epoch that has just ended, if it is one of those asked for."""
        epoch = trainer.current_epoch + 1
        if self._wanted(epoch) or epoch == trainer.max_epochs or trainer.should_stop:
            self._draw(trainer, pl_module, epoch)

    def _wanted(self, epoch: int) -> bool:
        return epoch % self.every_n_epochs == 0 if self.epochs is None else epoch in self.epochs

    def _draw(self, trainer: Trainer, module: Any, epoch: int) -> None:
        if not trainer.is_global_zero:
            return
        images = self.images(module)
        title = f"epoch {epoch}, {module.images_seen:,} images seen"
        grid = class_grid(images, CLASS_NAMES, title)
        folder = Path(trainer.default_root_dir) / run_dir.SAMPLES
        folder.mkdir(exist_ok=True)
        write_png(grid, folder / f"epoch_{epoch:03d}.png")
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoard):
                logger.add_image("samples", grid, module.images_seen)

    def images(self, module: Any) -> np.ndarray:
        """The grid's images, uint8 [classes, columns, 28, 28]: one latent vector for each column, for every class."""
        generator = module.ema.calibrated()
        latents = draw_latents(self.seed, 0, self.n_columns, generator.latent_dim)
        n_classes = len(CLASS_NAMES)
        labels = torch.arange(n_classes).repeat_interleave(self.n_columns)
        images = render(generator, latents.repeat(n_classes, 1), labels)
        return images.view(n_classes, self.n_columns, 28, 28).numpy()
