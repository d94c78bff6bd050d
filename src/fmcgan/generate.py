"""``python -m fmcgan.generate``: labelled images from a trained generator."""

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from fmcgan.app.checks import path_text
from fmcgan.app.errors import UserError
from fmcgan.app.hydra_app import run_command

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fmcgan.app.progress import Progress
    from fmcgan.inference.generator import Samples

_LARGE = 10**9  # bytes: from here on it is worth a line how much is written

log = logging.getLogger(__name__)


def generate(config: DictConfig) -> None:
    """Makes the images that were asked for and writes them, as they come, in the form that the output's name says."""
    from fmcgan.app.memory import format_bytes
    from fmcgan.app.progress import Progress
    from fmcgan.data.classes import parse_classes
    from fmcgan.inference.generator import load_generator
    from fmcgan.inference.sample_writers import check_space, writer_for

    if (name := path_text(output=config.output)) is None:
        raise UserError("output=null: the images need a place; leave it out for samples.png")
    output = Path(name)
    write = writer_for(output)
    run = None if config.run is None else str(config.run)  # a folder may be named by a number
    classes = OmegaConf.to_container(config.classes) if OmegaConf.is_config(config.classes) else config.classes
    labels = parse_classes(classes)  # type: ignore[arg-type]
    generator = load_generator(run, config.weights, config.device)
    batches = generator.stream(labels, config.n_per_class, config.seed, config.truncation)
    n = len(labels) * config.n_per_class
    start = time.perf_counter()
    try:
        size = check_space(write, len(labels), config.n_per_class, output)
        if size > _LARGE:
            log.info("%s images take about %s on the disk", f"{n:,}", format_bytes(size))
        output.parent.mkdir(parents=True, exist_ok=True)
        with Progress(n, "images") as counter:
            write(_counted(batches, counter), labels, config.n_per_class, output)
    except OSError as error:
        kept = " The earlier file of that name is untouched." if output.is_file() else ""
        raise UserError(f"cannot write {output} ({n:,} images): {error.strerror or error}.{kept}") from error
    rate = n / (time.perf_counter() - start)
    log.info("%d images of %d classes: %s (%s images/s)", n, len(labels), os.path.relpath(output), f"{rate:,.0f}")


def _counted(batches: Iterator["Samples"], counter: "Progress") -> Iterator["NDArray[np.uint8]"]:
    """The images of the batches, counted as they are handed on."""
    for batch in batches:
        counter.update(len(batch.images))
        yield batch.images


def main() -> None:
    """Entry of the console command."""
    run_command("generate", generate)


if __name__ == "__main__":
    main()
