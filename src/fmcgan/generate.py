"""``python -m fmcgan.generate``: draws labelled images from a trained generator."""

import functools
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from fmcgan.app.checks import path_text, whole_number
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.escaping import visible
from fmcgan.app.hydra_app import run_command

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fmcgan.app.progress import Progress
    from fmcgan.inference.generator import Samples

_LARGE = 10**9  # bytes from which the size of the output is logged

log = logging.getLogger(__name__)


def generate(config: DictConfig) -> None:
    """Draws images and writes them batch by batch. The output's name decides the format."""
    from fmcgan.app.memory import format_bytes
    from fmcgan.app.progress import Progress
    from fmcgan.inference.generator import load_generator
    from fmcgan.inference.sample_writers import check_space, write_grid, writer_for

    if (name := path_text(output=config.output)) is None:
        raise UserError("output=null: give a file or folder for the images, or leave it out for samples.png")
    whole_number(n_per_class=config.n_per_class)
    if not isinstance(config.title, bool):
        raise InvalidValueError(f"title must be true or false, got {config.title!r}", "title")
    output = Path(name)
    write = writer_for(output)
    if config.title and write is not write_grid:
        raise UserError(f"title=true is of a grid, but output={output} is none; choose a name that ends in .png")
    run = None if config.run is None else str(config.run)  # a folder may be named by a number
    generator = load_generator(run, config.weights, config.device, config.trust)
    labels = generator.info.parse_classes(config.classes)
    batches = generator.stream(labels, config.n_per_class, config.seed, config.truncation)
    n = len(labels) * config.n_per_class
    start = time.perf_counter()
    try:
        size = check_space(write, len(labels), config.n_per_class, output, generator.info)
        if size > _LARGE:
            log.info("%s images take about %s on the disk", f"{n:,}", format_bytes(size))
        output.parent.mkdir(parents=True, exist_ok=True)
        if config.title:
            write = functools.partial(write_grid, title=_title(config))
        with Progress(n, "images") as progress:
            write(_counted(batches, progress), labels, config.n_per_class, output, generator.info)
    except OSError as error:
        unchanged = " The earlier file of that name is unchanged." if output.is_file() else ""
        raise UserError(f"cannot write {output} ({n:,} images): {error.strerror or error}.{unchanged}") from error
    rate = n / (time.perf_counter() - start)
    log.info("%d images of %d classes: %s (%s images/s)", n, len(labels), os.path.relpath(output), f"{rate:,.0f}")


def _title(config: DictConfig) -> str:
    """Describes where the images of a grid come from."""
    run = "shipped generator" if config.run is None else str(config.run)
    return visible(f"{run}, seed {config.seed}, truncation {config.truncation:g}")


def _counted(batches: Iterator["Samples"], progress: "Progress") -> Iterator["NDArray[np.uint8]"]:
    """Yields the images of each batch and reports the progress."""
    for batch in batches:
        progress.update(len(batch.images))
        yield batch.images


main = functools.partial(run_command, "generate", generate)


if __name__ == "__main__":
    main()
