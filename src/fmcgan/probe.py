"""``python -m fmcgan.probe``: tests a user's classifier on generated and on real images."""

import functools
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, ListConfig, OmegaConf

from fmcgan.app.checks import one_of, whole_number
from fmcgan.app.errors import InvalidValueError
from fmcgan.app.hydra_app import run_command

if TYPE_CHECKING:
    from fmcgan.data.info import DatasetInfo
    from fmcgan.probing.input_format import InputFormat
    from fmcgan.probing.subject import Effort

log = logging.getLogger(__name__)


def probe(config: DictConfig) -> None:
    """Reads the images, writes ``report.html``, ``probe.json``, figures and tables, and prints the findings."""
    from fmcgan.inference.sample_source import load_inputs
    from fmcgan.probing.loading import load_model
    from fmcgan.probing.measurement import fitted_judge, measure
    from fmcgan.probing.page import Page, write_page
    from fmcgan.report.verdict import sentence

    form, effort, options = _checked_options(config)
    inputs = load_inputs(options, f"probe_{_slug(config.model)}", f"probe_{_slug(config.model)}")
    real = inputs.real
    order = _class_order(config.class_order, real.info)
    model = load_model(config.model, form, real.info, real.test.images[:16], config.outputs, order, inputs.device)
    samples = inputs.samples(inputs.n).balanced(inputs.n, real.reference.shares)
    network = None if inputs.generator is None else inputs.generator.network
    measured = measure(model, fitted_judge(real), samples, real, network, inputs.seed, effort)
    provenance = {"model": config.model, **inputs.provenance_in_words(samples)}
    seconds = ", ".join(f"{name} {taken:.0f}" for name, taken in measured.seconds.items())
    page = Page(measured, str(inputs.origin["source"]), config.findings, provenance | {"seconds": seconds})
    written = write_page(inputs.folder, page)
    if page.caveat:
        log.warning("%s", page.caveat)
    lines = [f"{number:2}. {each.statement}" for number, each in enumerate(page.findings, 1)]
    print("\n".join([sentence(page.verdict), *lines]))  # noqa: T201
    log.info("written to %s: %s", os.path.relpath(inputs.folder), ", ".join(written[:2]) + ", figures and tables")


def _checked_options(config: DictConfig) -> tuple["InputFormat", "Effort", DictConfig]:
    """Builds the format of the images after checking all options; reads and downloads nothing, imports no model.

    Also returns how much to measure, and the options in the form that `fmcgan.inference.sample_source` reads.
    """
    from hydra.utils import instantiate

    from fmcgan.app.config_validation import check_shape, types_checked
    from fmcgan.inference.sample_source import check_options, dataset_info
    from fmcgan.probing.loading import OUTPUTS, check_source

    check_shape(config, ("data", "input", "effort"), ())
    options = OmegaConf.create({**dict(config), "reference": "test", "bootstrap_samples": 0})
    check_options(options, min_n=100)
    whole_number(maximum=10_000, findings=config.findings)
    one_of(OUTPUTS, outputs=config.outputs)
    if config.class_order is not None and not isinstance(config.class_order, ListConfig):
        raise InvalidValueError(f"class_order must be a list of classes, one per output, got {config.class_order!r}")
    with types_checked(config):
        data, form, effort = instantiate(config.data), instantiate(config.input), instantiate(config.effort)
    dataset_info(data)
    check_source(config.model)
    return form, effort, options


def _class_order(given: ListConfig | None, info: "DatasetInfo") -> list[int] | None:
    """Returns the label of each output; raises `InvalidValueError` unless every class occurs once."""
    if given is None:
        return None
    labels = info.parse_classes(given)
    if sorted(labels) != list(info.labels):
        raise InvalidValueError(f"class_order must name each of the {info.num_classes} classes of {info.name} once")
    return labels


def _slug(model: str) -> str:
    """Returns the name of a model for a folder: ``mine`` of ``files/mine.onnx``."""
    return re.sub(r"\W+", "_", Path(model).stem if model.endswith(".onnx") else model)


main = functools.partial(run_command, "probe", probe)


if __name__ == "__main__":
    main()
