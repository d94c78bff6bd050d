"""``python -m fmcgan.evaluate``: metrics of a run or of samples, beside those of real images and other baselines."""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig

from fmcgan.app import run_dir
from fmcgan.app.checks import one_of, seed_number
from fmcgan.app.errors import UserError
from fmcgan.app.hydra_app import run_command
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES

if TYPE_CHECKING:
    from fmcgan.app.attempts import Attempts
    from fmcgan.metric.base import Metric
    from fmcgan.metric.evaluation import Evaluator
    from fmcgan.metric.image_set import ImageSet

log = logging.getLogger(__name__)


def evaluate(config: DictConfig) -> None:
    """Measures; writes ``evaluation.json``, ``evaluation.md`` and the figures; prints the table."""
    from fmcgan.app.attempts import Attempts
    from fmcgan.inference import sample_source
    from fmcgan.metric.evaluation import Evaluator
    from fmcgan.metric.results import as_markdown
    from fmcgan.metric.results_store import Store

    metrics, store = _checked_metrics(config), Store(config.cache)
    generator, given = sample_source.source(config)
    folder = sample_source.folder_of(config, "evaluation")
    real = sample_source.real_images(config, generator, store)
    given = given or sample_source.given_split(config, real)
    n = sample_source.samples_a_score(config, given)
    start, attempts = time.perf_counter(), Attempts(UserError)
    evaluator = Evaluator(metrics, real, n, config.baselines, store, show_progress=True, attempts=attempts)
    if given is not None:
        sample_source.warn_of_real_samples(given, real)
    samples = given or sample_source.drawn_samples(config, generator, evaluator.samples_needed)
    record = {
        **sample_source.provenance(config, samples, evaluator.real, generator),
        "n": evaluator.n,
        "classes": [CLASS_NAMES[label] for label in sample_source.classes_of(config)],
        "reference": config.reference,
        "bootstrap_samples": config.bootstrap_samples,
        "protocol": {name: metric.protocol for name, metric in metrics.items()},
        "scores": evaluator.measure(samples),
        "findings": _findings(evaluator, samples, n),
        "seconds_by_score": evaluator.seconds,
        "failed": dict(attempts.failed),
        "seconds": round(time.perf_counter() - start, 2),
    }
    written = _write(folder, record, samples, evaluator, attempts)
    print(as_markdown(record["scores"]), end="")  # noqa: T201
    log.info("written to %s: %s", os.path.relpath(folder), ", ".join(written))
    attempts.end()


def _checked_metrics(config: DictConfig) -> "Mapping[str, Metric]":
    """Builds the metrics after checking every value of the command; reads and downloads nothing before."""
    from hydra.utils import instantiate

    from fmcgan.app.part_types import types_checked
    from fmcgan.app.validation import check_shape
    from fmcgan.inference import sample_source
    from fmcgan.metric.baselines import BASELINES

    check_shape(config, ("data",), ("metric", "feature"))
    sample_source.check_source(config, fewest=20)
    sample_source.classes_of(config)
    seed_number(seed=config.seed)
    if not config.metric:
        raise UserError("metric=[] measures nothing; leave it out for the default metrics, or name some (see --help)")
    if not isinstance(config.baselines, ListConfig):
        given = f"got {config.baselines!r}"
        raise UserError(f"baselines must be a list such as baselines=[real,uniform_noise], or [] for none, {given}")
    for baseline in config.baselines:
        one_of(BASELINES, baselines=baseline)
    with types_checked(config):
        instantiate(config.data)
        return instantiate(config.metric)


def _findings(evaluator: "Evaluator", samples: "ImageSet", n: int) -> dict[str, Any]:
    """Collects the findings; samples are numbered as in the file, or in the order of their generation."""
    from fmcgan.metric.image_set import class_balanced

    findings: dict[str, Any] = evaluator.findings(samples)
    numbers = class_balanced(samples.labels, n).tolist() if n < len(samples) else range(len(samples))
    for pairs in findings.get("closest_pairs", {}).values():
        for pair in pairs:
            pair["sample"] = numbers[pair["sample"]]
    return findings


def _write(
    folder: Path, record: dict[str, Any], samples: "ImageSet", evaluator: "Evaluator", attempts: "Attempts"
) -> list[str]:
    """Writes the numbers first, in case a figure fails; returns the names of the files."""
    from fmcgan.app.escaping import markdown, markdown_code
    from fmcgan.metric.results import as_markdown, by_class_as_markdown
    from fmcgan.report.evaluation_figures import draw_evaluation

    run_dir.write_json(folder / "evaluation.json", record)
    pictures = samples.images.squeeze(1).numpy(), evaluator.real.train.images.squeeze(1).numpy()
    figures = draw_evaluation(record["scores"], record["findings"], *pictures, folder, attempts)
    about = f"Source: {markdown(record.get('checkpoint', record['source']))}; reference: {record['reference']} split; "
    if len(record["classes"]) < NUM_CLASSES:
        about += f"only images of {', '.join(record['classes'])}; "
    about += f"names say how many samples; SHA-256 of the samples {record['samples_sha256'][:16]}.\n"
    about += f"Command: {markdown_code(record['command'])}\n"
    tables = (as_markdown(record["scores"]), by_class_as_markdown(record["scores"]))
    shown = [f"![{figure}]({figure})\n" for figure in figures]
    run_dir.write_atomically(folder / "evaluation.md", "\n".join(part for part in (about, *tables, *shown) if part))
    return ["evaluation.md", "evaluation.json", *figures]


def main() -> None:
    """Runs the console command."""
    run_command("evaluate", evaluate)


if __name__ == "__main__":
    main()
