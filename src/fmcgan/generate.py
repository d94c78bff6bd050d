"""``python -m fmcgan.generate``: labelled images from a trained generator."""

import io
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from fmcgan.command import run_command
from fmcgan.errors import UserError
from fmcgan.run_folder import write_atomically

if TYPE_CHECKING:
    from fmcgan.generator import Samples

log = logging.getLogger(__name__)


def generate(config: DictConfig) -> None:
    """Makes the images that were asked for and writes them in the form that the output's name says."""
    from fmcgan.generator import load_generator

    classes = OmegaConf.to_container(config.classes) if OmegaConf.is_config(config.classes) else config.classes
    output = Path(str(config.output))
    write = {".png": _write_grid, ".npz": _write_npz}.get(output.suffix, _write_folder)
    if write is _write_folder:
        _check_folder(output)
    generator = load_generator(config.run, config.weights, config.device)
    samples = generator.sample(classes, config.n_per_class, config.seed, config.truncation)  # type: ignore[arg-type]
    output.parent.mkdir(parents=True, exist_ok=True)
    write(samples, output)
    log.info("%d images of %d classes: %s", len(samples.labels), len(set(samples.labels)), os.path.relpath(output))


def _check_folder(output: Path) -> None:
    if output.suffix[1:].isalpha():
        raise UserError(f"output={output}: its name must end in .png (a grid), .npz (arrays) or be that of a folder")
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise UserError(f"output={output} is there already; old and new images must not mix, choose another folder")


def _write_grid(samples: "Samples", output: Path) -> None:
    from fmcgan.data.classes import CLASS_NAMES
    from fmcgan.figure.grid import class_grid
    from fmcgan.figure.png import write_png

    labels = list(dict.fromkeys(samples.labels.tolist()))
    images = samples.images.reshape(len(labels), -1, 28, 28)
    write_png(class_grid(images, [CLASS_NAMES[label] for label in labels]), output)


def _write_npz(samples: "Samples", output: Path) -> None:
    import numpy as np

    content = io.BytesIO()
    np.savez_compressed(content, images=samples.images, labels=samples.labels)
    write_atomically(output, content.getvalue())


def _write_folder(samples: "Samples", output: Path) -> None:
    from PIL import Image

    from fmcgan.data.classes import CLASS_NAMES

    counts = dict.fromkeys(samples.labels.tolist(), 0)
    for image, label in zip(samples.images, samples.labels.tolist(), strict=True):
        folder = output / CLASS_NAMES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{counts[label]:06d}.png")
        counts[label] += 1


def main() -> None:
    """Entry of the console command."""
    run_command("generate", generate)


if __name__ == "__main__":
    main()
