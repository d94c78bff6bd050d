"""``python -m fmcgan.usefulness``: measures whether generated images help a classifier of real images."""

import functools
import logging
import os
from typing import TYPE_CHECKING

from omegaconf import DictConfig, ListConfig, OmegaConf

from fmcgan.app.checks import one_of
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.hydra_app import run_command
from fmcgan.app.overrides import applied_overrides
from fmcgan.app.run_dir import refuse_links

if TYPE_CHECKING:
    from fmcgan.downstream.protocol import Protocol
    from fmcgan.downstream.samples import SampleSource
    from fmcgan.inference.sample_source import Inputs

log = logging.getLogger(__name__)

CELLS, GENERATORS = "cells", "generators"  # folders of the results: one file per classifier, one run per generator


def measure_usefulness(config: DictConfig) -> None:
    """Trains the classifiers, writes ``report.html``, ``usefulness.json`` and figures, and prints the findings."""
    from fmcgan.downstream.findings import caveat, findings
    from fmcgan.downstream.measurement import measure
    from fmcgan.downstream.page import Page, write_page
    from fmcgan.downstream.results import summarize
    from fmcgan.inference.sample_source import count_copies, load_inputs
    from fmcgan.metric.results_store import Store

    protocol, options = _checked_options(config)
    inputs = load_inputs(options, "usefulness", "usefulness", real_only=config["from"] == "scratch")
    refuse_links(inputs.folder, CELLS, GENERATORS)
    source = _source(config, inputs)
    measured = measure(protocol, inputs.real, source, Store(inputs.folder / CELLS))
    if not measured.predictions:
        raise UserError(f"nothing could be measured: {'; '.join(measured.skipped.values())}")
    info, results = inputs.real.info, summarize(measured, inputs.real.info.num_classes)
    stated = findings(results, info)
    leaked = 0 if inputs.given in (None, inputs.real.train) else count_copies(inputs.given, inputs.real.test)
    page = Page(
        subject=f"{source.name}; {info.name}, {results.n_test:,} real test images, {results.n_seeds} seeds",
        protocol=protocol,
        training=protocol.training(info),
        info=info,
        results=results,
        findings=stated,
        caveat=caveat([source.saw_only(size.n) for size in results.sizes], results.sizes, leaked),
        skipped=measured.skipped,
        provenance=inputs.provenance_in_words() | {"source": source.name},
    )
    written = write_page(inputs.folder, page)
    if page.caveat:
        log.warning("%s", page.caveat)
    print("\n".join(f"{number:2}. {each}" for number, each in enumerate(stated, 1)))  # noqa: T201
    log.info("written to %s: %s", os.path.relpath(inputs.folder), ", ".join(written[:2]) + ", figures and tables")


def _checked_options(config: DictConfig) -> tuple["Protocol", DictConfig]:
    """Builds the protocol after checking all options; reads and downloads nothing.

    Also returns the options in the form that `fmcgan.inference.sample_source` reads.
    """
    from hydra.utils import instantiate

    from fmcgan.app.config_validation import check_shape, types_checked
    from fmcgan.inference.sample_source import SPLITS, check_options, dataset_info

    check_shape(config, ("data", "protocol"), ())
    one_of(("given", "scratch"), **{"from": config["from"]})
    is_list = isinstance(config.train, ListConfig) and len(config.train) > 0
    if not is_list or not all(isinstance(each, str) for each in config.train):
        raise InvalidValueError(f"train must be a list of overrides such as ['experiment=quick'], got {config.train!r}")
    check_options(options := _sample_options(config), min_n=1)
    if options.samples == SPLITS[1]:
        raise UserError("samples=test would train classifiers on the images that they are tested on; samples=train")
    if config["from"] == "scratch":
        _check_scratch(config)
    with types_checked(config):
        data, protocol = instantiate(config.data), instantiate(config.protocol)
    dataset_info(data)
    return protocol, options


def _check_scratch(config: DictConfig) -> None:
    if config.run is not None or config.samples is not None:
        raise UserError("from=scratch trains its own generators; give neither run= nor samples=")
    given = OmegaConf.select(config, "data.subset") or {}
    if any(given.get(key) is not None for key in ("n", "per_class", "long_tail")):
        raise UserError("from=scratch chooses the real images of each size itself; omit data.subset")


def _sample_options(config: DictConfig) -> DictConfig:
    """Adds the options of `fmcgan.inference.sample_source` that have one value here."""
    options: dict[object, object] = {**dict(config), "n": None, "reference": "test", "bootstrap_samples": 0}
    if config["from"] == "scratch" and config.output is None:
        options["output"] = "from_scratch_usefulness"
    return OmegaConf.create(options)


def _source(config: DictConfig, inputs: "Inputs") -> "SampleSource":
    from fmcgan.downstream.samples import GeneratorSamples, GivenSamples, ScratchSamples

    if config["from"] == "scratch":
        data = [each for each in applied_overrides() if each.startswith(("data=", "data.", "trust="))]
        overrides = [*config.train, *data]
        folder = inputs.folder / GENERATORS
        return ScratchSamples(folder, overrides, inputs.seed, inputs.device, config.weights, config.trust)
    name = str(inputs.origin["source"])
    if inputs.given is not None:
        return GivenSamples(inputs.given, name, are_training=config.samples == "train")
    if inputs.generator is None:
        raise ValueError("neither samples nor a generator are given")
    own_data = not any(each.startswith(("data=", "data.subset")) for each in applied_overrides())
    n_seen = len(inputs.real.train) if own_data else None
    return GeneratorSamples(inputs.generator.network, name, inputs.seed, n_seen)


main = functools.partial(run_command, "usefulness", measure_usefulness)


if __name__ == "__main__":
    main()
