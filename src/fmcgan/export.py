"""``python -m fmcgan.export``: writes a trained generator as one file, or as a folder for the Hugging Face hub."""

import functools
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from fmcgan.app import run_dir
from fmcgan.app.checks import one_of, path_text
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.extras import require_extra
from fmcgan.app.hydra_app import run_command
from fmcgan.app.safe_instantiate import trusted_packages

if TYPE_CHECKING:
    from fmcgan.inference.generator import LabelledGenerator

log = logging.getLogger(__name__)

FORMATS = ("safetensors", "onnx", "html", "hub")


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
    elif config.format == "hub":
        from fmcgan.inference.hub_folder import write_hub_folder

        write_hub_folder(output, generator, config.dtype, config.licence)
    else:
        write_generator(output, generator.network.state_dict(), about, config.dtype)
    n_scores = len({name for scores in about.get("scores", {}).values() for name in scores})
    what = f"weights={about['weights']}, {about['images_seen']:,} images seen, {n_scores} scores of these weights"
    files = [path for path in output.iterdir() if path.is_file()] if output.is_dir() else [output]
    size = sum(path.stat().st_size for path in files) / 1e6
    log.info("%s (%.1f MB): %s", os.path.relpath(output), size, what)


def _output(config: DictConfig) -> Path:
    """Checks the options and returns the output, a file or (format=hub) a folder."""
    one_of(FORMATS, format=config.format)
    one_of(("float32", "float16"), dtype=config.dtype)
    if config.format == "onnx" and config.dtype != "float32":
        how = "use dtype=float32 (ONNX runtimes can convert it)"
        raise UserError(f"dtype=float16 does not work with format=onnx; {how}")
    config.run, config.output = path_text(run=config.run), path_text(output=config.output)
    one_of(("ema", "raw"), weights=config.weights)
    trusted_packages(config.trust)
    _check_licence(config)
    if config.format == "hub":
        return _hub_folder(Path(config.output or "generator"))
    output = Path(config.output or f"generator.{config.format}")
    if output.suffix != f".{config.format}":
        raise UserError(f"output={output}: the name must end in .{config.format} for format={config.format}")
    return output


def _hub_folder(output: Path) -> Path:
    require_extra("hub", "format=hub", "huggingface_hub")
    from fmcgan.inference.hub_folder import check_folder

    check_folder(output)
    return output


def _check_licence(config: DictConfig) -> None:
    if config.licence is None:
        return
    if config.format != "hub":
        raise UserError(f"licence={config.licence} is for the card of format=hub; leave it out")
    if not (isinstance(config.licence, str) and re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,59}", config.licence)):
        how = "a name of the Hugging Face hub such as mit, cc-by-4.0 or other"
        raise InvalidValueError(f"licence must be {how}, got {config.licence!r}", "licence")


def _load(config: DictConfig) -> "LabelledGenerator":
    """Loads the generator of ``run=``, or the shipped one. Metadata of a checkpoint come from its run folder."""
    from fmcgan.inference.generator import LabelledGenerator, find_checkpoint, load_generator
    from fmcgan.inference.safetensors_file import SUFFIX, provenance

    generator = load_generator(config.run, config.weights, trust=config.trust)
    checkpoint = None if config.run is None else find_checkpoint(config.run)
    if checkpoint is None or checkpoint.suffix == SUFFIX:
        return generator
    folder = checkpoint.parent.parent if checkpoint.parent.name == run_dir.CHECKPOINTS else None
    return LabelledGenerator(generator.network, {**generator.about, **provenance(folder, generator.about)})


main = functools.partial(run_command, "export", export)


if __name__ == "__main__":
    main()
