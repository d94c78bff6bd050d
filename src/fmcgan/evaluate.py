"""``python -m fmcgan.evaluate``: computes metrics of a run or of samples, and of baselines such as real images."""

import functools
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, ListConfig

from fmcgan.app import run_dir
from fmcgan.app.checks import one_of
from fmcgan.app.errors import UserError
from fmcgan.app.formatting import terminal_columns
from fmcgan.app.hydra_app import run_command
from fmcgan.app.run_files import Record

if TYPE_CHECKING:
    from fmcgan.app.errors import Failures
    from fmcgan.metric.base import Metric
    from fmcgan.metric.evaluation import Evaluator
    from fmcgan.metric.image_set import ImageSet

log = logging.getLogger(__name__)


def evaluate(config: DictConfig) -> None:
    """Computes the metrics, writes ``evaluation.json``, ``evaluation.md`` and figures, and prints a table."""
    from fmcgan.app.errors import Failures
    from fmcgan.inference.sample_source import load_inputs
    from fmcgan.metric.evaluation import Evaluator
    from fmcgan.metric.results import as_text_table
    from fmcgan.report.home import refresh_home

    metrics, inputs = _checked_metrics(config), load_inputs(config, "evaluation")
    folder, n = inputs.folder, inputs.n
    start, failures = time.perf_counter(), Failures(UserError)
    evaluator = Evaluator(
        metrics, inputs.real, n, config.baselines, inputs.store, show_progress=True, failures=failures
    )
    samples = inputs.samples(evaluator.samples_needed)
    results = evaluator.measure(samples)
    record = {
        **inputs.provenance(samples),
        "n": evaluator.n,
        "classes": [inputs.real.info.class_names[label] for label in inputs.classes],
        "reference": config.reference,
        "bootstrap_samples": config.bootstrap_samples,
        "protocol": {name: metric.protocol for name, metric in evaluator.metrics.items()},
        "seconds_by_score": evaluator.seconds,
        "scores": results,
        "findings": _findings(evaluator, samples, n),
        "failed": dict(failures.failed),
    }
    record["seconds"] = round(time.perf_counter() - start, 2)
    written = _write(folder, record, samples, evaluator, failures)
    refresh_home(inputs.run, folder)
    print(as_text_table(results, terminal_columns()), end="")  # noqa: T201
    figures = sum(name.endswith(".png") for name in written)
    log.info("written to %s: evaluation.md, evaluation.json, %d figures", os.path.relpath(folder), figures)
    failures.raise_if_any()


def _checked_metrics(config: DictConfig) -> "Mapping[str, Metric]":
    """Builds the metrics after checking all options; reads and downloads nothing."""
    from hydra.utils import instantiate

    from fmcgan.app.config_validation import check_shape, types_checked
    from fmcgan.inference.sample_source import check_classes, check_options, dataset_info
    from fmcgan.metric.baselines import BASELINES

    check_shape(config, ("data",), ("metric", "feature"))
    check_options(config, min_n=20)
    if not config.metric:
        raise UserError("metric=[] selects no metric; omit it for the default metrics, or name some (see --help)")
    if not isinstance(config.baselines, ListConfig):
        given = f"got {config.baselines!r}"
        raise UserError(f"baselines must be a list such as baselines=[real,uniform_noise], or [] for none, {given}")
    for baseline in config.baselines:
        one_of(BASELINES, baselines=baseline)
    with types_checked(config):
        data, metrics = instantiate(config.data), instantiate(config.metric)
    if config.run is None:  # else the data set may be that of the run
        check_classes(config, dataset_info(data))
    return metrics


def _findings(evaluator: "Evaluator", samples: "ImageSet", n: int) -> Record:
    """Collects the findings; samples are numbered as in the file, or in the order of their generation."""
    from fmcgan.metric.image_set import class_balanced

    findings: Record = evaluator.findings(samples)
    shares = evaluator.real.reference.shares
    numbers = class_balanced(samples.labels, n, shares).tolist() if n < len(samples) else range(len(samples))
    for pairs in findings.get("closest_pairs", {}).values():
        for pair in pairs:
            pair["sample"] = numbers[pair["sample"]]
    return findings


def _write(
    folder: Path, record: Record, samples: "ImageSet", evaluator: "Evaluator", failures: "Failures"
) -> list[str]:
    """Writes the numbers first, in case a figure fails; returns the names of the files."""
    from fmcgan.app.escaping import markdown, markdown_code, printable
    from fmcgan.data.images import to_pixels
    from fmcgan.metric.results import as_markdown, by_class_as_markdown
    from fmcgan.report.evaluation_figures import draw_evaluation

    run_dir.write_json(folder / "evaluation.json", record)
    names = samples.info.class_names
    figures = draw_evaluation(
        record["scores"],
        record["findings"],
        sample_images=to_pixels(samples.images),
        training_images=to_pixels(evaluator.real.train.images),
        folder=folder,
        failures=failures,
        names=names,
    )
    source = markdown(str(record.get("checkpoint", record["source"])))
    about = f"Source: {source}; reference: {record['reference']} split; "
    if len(record["classes"]) < len(names):
        about += f"only images of {markdown(printable(', '.join(record['classes'])))}, of all classes that the "
        about += "classifier knows; "
    if record.get("truncation", 1.0) != 1:
        about += f"truncation {record['truncation']}; "
    about += f"metric names contain the number of samples; SHA-256 of the samples {record['samples_sha256'][:16]}.\n"
    about += f"Command: {markdown_code(record['command'])}\n"
    tables = (as_markdown(record["scores"]), by_class_as_markdown(record["scores"], names))
    shown = [f"![{figure}]({figure})\n" for figure in figures]
    run_dir.write_atomically(folder / "evaluation.md", "\n".join(part for part in (about, *tables, *shown) if part))
    return ["evaluation.md", "evaluation.json", *figures]


main = functools.partial(run_command, "evaluate", evaluate)


if __name__ == "__main__":
    main()
