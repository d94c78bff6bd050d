"""``python -m fmcgan.evaluate``: scores of a run or of samples, beside those of real images and of bad ones."""

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

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

USUAL_N = 10_000
SPLITS = ("train", "test")


def evaluate(config: DictConfig) -> None:
    """Measures, prints the table and writes ``evaluation.json``, ``evaluation.md`` and the figures."""
    from hydra.utils import instantiate

    from fmcgan.metric.evaluation import Evaluator
    from fmcgan.metric.store import Store
    from fmcgan.metric.table import as_markdown

    _check(config)
    scores, store = instantiate(config.metric), Store(config.cache)
    generator = _generator(config) if config.run else None
    read = _read_samples(config) if config.samples and config.samples not in SPLITS else None
    real = _real_images(config, generator, store)
    given = read or ({"train": real.train, "test": real.test}[config.samples] if config.samples else None)
    n = _n(config, given)
    start = time.perf_counter()
    evaluator = Evaluator(scores, real, n, config.rows, store, show_progress=True)
    samples = _drawn_samples(config, generator, evaluator) if given is None else given
    results = evaluator.measure(samples)
    findings = _findings(evaluator, samples, n)
    print(as_markdown(results), end="")  # noqa: T201
    record = _record(config, samples, evaluator)
    record |= {"scores": results, "findings": findings, "seconds": round(time.perf_counter() - start, 2)}
    _write(_folder(config), record, samples, real)


def _check(config: DictConfig) -> None:
    if (config.run is None) == (config.samples is None):
        raise UserError(
            "give either run=RUN_FOLDER_OR_CHECKPOINT or samples=: FILE.npz, a folder of PNGs, or train or test, which "
            "are the real images"
        )
    one_of(SPLITS, reference=config.reference)
    whole_number(minimum=0, seed=config.seed, replicates=config.replicates)
    if config.n is not None:
        whole_number(minimum=20, n=config.n)
    if not config.metric:
        raise UserError("metric=[] measures nothing; leave it out for the usual scores, or name some (see --help)")


def _generator(config: DictConfig) -> "LabelledGenerator":
    from fmcgan.generator import load_generator

    return load_generator(config.run, config.weights, config.device)


def _read_samples(config: DictConfig) -> "ImageSet":
    from fmcgan.metric.image_set import ImageSet
    from fmcgan.metric.samples_file import read_samples

    return ImageSet(*read_samples(Path(config.samples)), device=config.device, replicates=config.replicates)


def _n(config: DictConfig, given: "ImageSet | None") -> int:
    """How many samples a score takes."""
    from fmcgan.data.classes import NUM_CLASSES

    if given is None:
        if config.n is not None and config.n % NUM_CLASSES:
            raise UserError(f"n must be a multiple of {NUM_CLASSES}, the number of classes, got {config.n}")
        return config.n or USUAL_N
    if config.n is not None and config.n > len(given):
        raise UserError(f"n={config.n} samples are asked for, but samples={config.samples} holds {len(given)}")
    n = config.n or min(USUAL_N, len(given))
    if n < len(given):
        log.info("scoring %d of the %d samples: the first of each class (n= chooses how many)", n, len(given))
    return n


def _drawn_samples(config: DictConfig, generator: "LabelledGenerator | None", evaluator: "Evaluator") -> "ImageSet":
    from fmcgan.data.classes import NUM_CLASSES
    from fmcgan.metric.image_set import ImageSet
    from fmcgan.training.sampling import sample_classes

    assert generator is not None
    n_per_class = -(-evaluator.samples_needed // NUM_CLASSES)
    drawn = sample_classes(generator.network, range(NUM_CLASSES), n_per_class, config.seed)
    return ImageSet(*drawn, device=config.device, replicates=config.replicates)


def _real_images(config: DictConfig, generator: "LabelledGenerator | None", store: Any) -> "RealImages":
    """The run's own data set, with this command's paths where it is the same one, or the one that is asked for."""
    from hydra.utils import instantiate

    from fmcgan.generator import trusted
    from fmcgan.metric.image_set import ImageSet
    from fmcgan.metric.score import RealImages

    chosen = any(override.startswith("data=") for override in HydraConfig.get().overrides.task)
    data_config: Any = config.data
    if generator and not chosen and generator.config["data"]["_target_"] != config.data._target_:
        data_config = trusted(generator.config["data"], "fmcgan.data.")
    data = instantiate(data_config)
    data.prepare_data()
    data.setup("fit")
    options = {"device": config.device, "store": store, "replicates": config.replicates}
    train = ImageSet(data.images.train_images, data.images.train_labels, **options)
    test = ImageSet(data.images.test_images, data.images.test_labels, **options)
    return RealImages(train, test, config.reference)


def _findings(evaluator: "Evaluator", samples: "ImageSet", n: int) -> dict[str, Any]:
    """What the scores found, samples named by their number in the file or in the order in which they were drawn."""
    from fmcgan.metric.image_set import class_balanced

    findings = evaluator.findings(samples)
    numbers = class_balanced(samples.labels, n).tolist() if n < len(samples) else range(len(samples))
    for pairs in findings.get("closest_pairs", {}).values():
        for pair in pairs:
            pair["sample"] = numbers[pair["sample"]]
    return findings


def _record(config: DictConfig, samples: "ImageSet", evaluator: "Evaluator") -> dict[str, Any]:
    """What the scores were measured on and how."""
    import torch

    from fmcgan.callback.run_record import command_line

    drawn = {"run": str(config.run), "seed": config.seed, "weights": config.weights} if config.run else {}
    return {
        "command": command_line(),
        "source": str(config.run or config.samples),
        **drawn,
        "n": evaluator.n,
        "reference": config.reference,
        "replicates": config.replicates,
        "samples_sha256": samples.fingerprint,
        "train_sha256": evaluator.real.train.fingerprint,
        "test_sha256": evaluator.real.test.fingerprint,
        "torch": torch.__version__,
        "protocol": {name: score.protocol for name, score in evaluator.scores.items()},
        "seconds_by_score": evaluator.seconds,
    }


def _folder(config: DictConfig) -> Path:
    """The run folder; beside samples, a folder named after them."""
    if config.output:
        return Path(config.output)
    if config.samples:
        samples = Path(config.samples).absolute()
        return samples.with_name(f"{samples.stem if samples.is_file() else samples.name}_evaluation")
    from fmcgan.generator import find_checkpoint

    checkpoint = find_checkpoint(Path(config.run))
    return checkpoint.parent.parent if checkpoint.parent.name == run_folder.CHECKPOINTS else checkpoint.parent


def _write(folder: Path, record: dict[str, Any], samples: "ImageSet", real: "RealImages") -> None:
    from fmcgan.metric.table import as_markdown, by_class_as_markdown
    from fmcgan.report.evaluation import draw_evaluation

    folder.mkdir(parents=True, exist_ok=True)
    run_folder.write_json(folder / "evaluation.json", record)
    pictures = samples.images.squeeze(1).numpy(), real.train.images.squeeze(1).numpy()
    figures = draw_evaluation(record["scores"], record["findings"], *pictures, folder)
    about = f"Source: {record['source']}, {record['n']} samples, reference: {record['reference']} split.\n"
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
