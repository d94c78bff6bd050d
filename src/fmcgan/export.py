"""``python -m fmcgan.export``: writes a trained generator as one file."""

import functools
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from fmcgan.app import run_dir
from fmcgan.app.checks import one_of, path_text
from fmcgan.app.errors import UserError
from fmcgan.app.hydra_app import run_command

if TYPE_CHECKING:
    from fmcgan.inference.generator import LabelledGenerator

log = logging.getLogger(__name__)

FORMATS = ("safetensors", "onnx", "html")


def export(config: DictConfig) -> None:
    """Exports a generator and logs what the file contains."""
    output = _output(config)
    from fmcgan.inference.safetensors_file import write_generator

    generator = _load(config)
    about = generator.about
    if config.format == "onnx":
        from fmcgan.inference.onnx_file import write_onnx

        write_onnx(output, generator.network, generator.info, about)
    elif config.format == "html":
        from fmcgan.inference.html.page import write_page

        write_page(output, generator.network, generator.info, about, config.dtype)
    else:
        write_generator(output, generator.network.state_dict(), about, config.dtype)
    n_scores = len({name for scores in about.get("scores", {}).values() for name in scores})
    what = f"weights={about['weights']}, {about['images_seen']:,} images seen, {n_scores} scores of these weights"
    log.info("%s (%.1f MB): %s", os.path.relpath(output), output.stat().st_size / 1e6, what)


def _output(config: DictConfig) -> Path:
    """Checks the options and returns the output file."""
    one_of(FORMATS, format=config.format)
    one_of(("float32", "float16"), dtype=config.dtype)
    if config.format == "onnx" and config.dtype != "float32":
        how = "use dtype=float32 (ONNX runtimes can convert it)"
        raise UserError(f"dtype=float16 does not work with format=onnx; {how}")
    config.run, config.output = path_text(run=config.run), path_text(output=config.output)
    one_of(("ema", "raw"), weights=config.weights)
    output = Path(config.output or f"generator.{config.format}")
    if output.suffix != f".{config.format}":
        raise UserError(f"output={output}: the name must end in .{config.format} for format={config.format}")
    return output


def _load(config: DictConfig) -> "LabelledGenerator":
    """Loads the generator of ``run=``, or the shipped one. Metadata of a checkpoint come from its run folder."""
    from fmcgan.inference.generator import LabelledGenerator, find_checkpoint, load_generator
    from fmcgan.inference.safetensors_file import SUFFIX, provenance

    run = None if config.run is None else Path(config.run)
    generator = load_generator(run, config.weights)
    checkpoint = None if run is None else find_checkpoint(run)
    if checkpoint is None or checkpoint.suffix == SUFFIX:
        return generator
    folder = checkpoint.parent.parent if checkpoint.parent.name == run_dir.CHECKPOINTS else None
    return LabelledGenerator(generator.network, {**generator.about, **provenance(folder, generator.about)})


main = functools.partial(run_command, "export", export)


if __name__ == "__main__":
    main()
