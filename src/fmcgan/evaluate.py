"""``python -m fmcgan.evaluate``: scores of a run or of samples, beside those of real images and of bad ones."""

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig

from fmcgan import run_folder
from fmcgan.checks import one_of, whole_number
from fmcgan.command import run_command
from fmcgan.errors import UserError

if TYPE_CHECKING:
    from fmcgan.generator import LabelledGenerator
    from fmcgan.metric.evaluation import Evaluator
    from fmcgan.metric.image_set import ImageSet
    from fmcgan.metric.score import RealImages

log = logging.getLogger(__name__)

SPLITS = ("train", "test")
"""Also what ``samples=`` may be: the real images themselves."""

_SHIPPED = "the shipped generator"


def evaluate(config: DictConfig) -> None:
    """Measures, prints the table and writes ``evaluation.json``, ``evaluation.md`` and the figures."""
    from hydra.utils import instantiate

    from fmcgan import evaluated
    from fmcgan.metric.evaluation import Evaluator
    from fmcgan.metric.store import Store
    from fmcgan.metric.table import as_markdown

    _check(config)
    scores, store = instantiate(config.metric), Store(config.cache)
    generator = None if config.samples is not None else evaluated.generator_of(config)
    given = None if config.samples in (None, *SPLITS) else evaluated.given_samples(config)
    folder = _folder(config)
    real = evaluated.real_images(config, generator, store)
    if config.samples in SPLITS:
        given = real.train if config.samples == "train" else real.test
    n = evaluated.samples_a_score(config, given)
    start = time.perf_counter()
    evaluator = Evaluator(scores, real, n, config.rows, store, show_progress=True)
    if given is not None:
        evaluated.warn_of_real_samples(given, real)
    samples = given or evaluated.drawn_samples(config, generator, evaluator.samples_needed)
    results = evaluator.measure(samples)
    findings = _findings(evaluator, samples, n)
    print(as_markdown(results), end="")  # noqa: T201
    record = _record(config, samples, evaluator, generator)
    record |= {"scores": results, "findings": findings, "seconds": round(time.perf_counter() - start, 2)}
    _write(folder, record, samples, real)


def _check(config: DictConfig) -> None:
    for key in ("run", "samples"):
        if config[key] is not None:
            if isinstance(config[key], ListConfig):
                raise UserError(f"{key} must be one path, got {list(config[key])}")
            config[key] = str(config[key])  # a folder may be named by a number
    if config.run is not None and config.samples is not None:
        raise UserError(
            "give either run=, a run folder, checkpoint or exported generator, or samples=: FILE.npz, a folder of "
            "PNGs, or train or test, which are the real images (neither of them: the shipped generator)"
        )
    one_of(SPLITS, reference=config.reference)
    whole_number(minimum=0, seed=config.seed, replicates=config.replicates)
    if config.n is not None:
        whole_number(minimum=20, n=config.n)
    if not config.metric:
        raise UserError("metric=[] measures nothing; leave it out for the usual scores, or name some (see --help)")
    if not isinstance(config.rows, ListConfig):
        raise UserError(f"rows must be a list such as rows=[real,noise], or rows=[] for none, got {config.rows!r}")
    from fmcgan.generator import check_device

    check_device(config.device)


def _findings(evaluator: "Evaluator", samples: "ImageSet", n: int) -> dict[str, Any]:
    """What the scores found, samples named by their number in the file or in the order in which they were drawn."""
    from fmcgan.metric.image_set import class_balanced

    findings = evaluator.findings(samples)
    numbers = class_balanced(samples.labels, n).tolist() if n < len(samples) else range(len(samples))
    for pairs in findings.get("closest_pairs", {}).values():
        for pair in pairs:
            pair["sample"] = numbers[pair["sample"]]
    return findings


def _record(
    config: DictConfig, samples: "ImageSet", evaluator: "Evaluator", generator: "LabelledGenerator | None"
) -> dict[str, Any]:
    """What the scores were measured on and how."""
    from importlib.metadata import version

    from fmcgan.callback.run_record import command_line
    from fmcgan.generator import find_checkpoint

    drawn: dict[str, Any] = {}
    if generator is not None:
        checkpoint = _SHIPPED if config.run is None else str(find_checkpoint(Path(config.run)))
        drawn = {"checkpoint": checkpoint, "images_seen": generator.images_seen}
        drawn |= {"seed": config.seed, "weights": config.weights}
    return {
        "command": command_line(),
        "source": config.run or config.samples or _SHIPPED,
        **drawn,
        "n": evaluator.n,
        "reference": config.reference,
        "replicates": config.replicates,
        "samples_sha256": samples.fingerprint,
        "train_sha256": evaluator.real.train.fingerprint,
        "test_sha256": evaluator.real.test.fingerprint,
        "versions": {name: version(name) for name in ("fmcgan", "torch")},
        "device": str(config.device),
        "protocol": {name: score.protocol for name, score in evaluator.scores.items()},
        "seconds_by_score": evaluator.seconds,
    }


def _folder(config: DictConfig) -> Path:
    """The run folder; beside samples or an exported generator, a folder named after them.

    It is made now: hours later would be too late.
    """
    folder = _named_folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _named_folder(config: DictConfig) -> Path:
    if config.output:
        return Path(config.output)
    if config.samples:
        samples = Path(config.samples).absolute()
        return samples.with_name(f"{samples.stem if samples.is_file() else samples.name}_evaluation")
    if config.run is None:
        return Path("shipped_generator_evaluation")
    from fmcgan.generator import find_checkpoint
    from fmcgan.generator_file import SUFFIX

    checkpoint = find_checkpoint(Path(config.run))
    if checkpoint.suffix == SUFFIX:
        return checkpoint.with_name(f"{checkpoint.stem}_evaluation")
    return checkpoint.parent.parent if checkpoint.parent.name == run_folder.CHECKPOINTS else checkpoint.parent


def _write(folder: Path, record: dict[str, Any], samples: "ImageSet", real: "RealImages") -> None:
    from fmcgan.metric.table import as_markdown, by_class_as_markdown
    from fmcgan.report.evaluation import draw_evaluation

    run_folder.write_json(folder / "evaluation.json", record)
    pictures = samples.images.squeeze(1).numpy(), real.train.images.squeeze(1).numpy()
    figures = draw_evaluation(record["scores"], record["findings"], *pictures, folder)
    about = f"Source: {record.get('checkpoint', record['source'])}; reference: {record['reference']} split; "
    about += f"names say how many samples; SHA-256 of the samples {record['samples_sha256'][:16]}.\n"
    about += f"Command: `{record['command']}`\n"
    tables = (as_markdown(record["scores"]), by_class_as_markdown(record["scores"]))
    shown = [f"![{figure}]({figure})\n" for figure in figures]
    run_folder.write_atomically(folder / "evaluation.md", "\n".join(part for part in (about, *tables, *shown) if part))
    names = ", ".join(["evaluation.md", "evaluation.json", *figures])
    log.info("written to %s: %s", os.path.relpath(folder), names)


def main() -> None:
    """Entry of the console command."""
    run_command("evaluate", evaluate)


if __name__ == "__main__":
    main()
