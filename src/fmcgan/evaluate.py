"""``python -m fmcgan.evaluate``: scores of a run or of samples, each beside its real-data floor."""

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fmcgan import run_folder
from fmcgan.command import run_command
from fmcgan.errors import UserError

if TYPE_CHECKING:
    from fmcgan.metric.score import LabelledImages

log = logging.getLogger(__name__)


def evaluate(config: DictConfig) -> None:
    """Measures, prints the table and writes ``evaluation.json`` and ``evaluation.md``."""
    from hydra.utils import instantiate

    from fmcgan.metric.score import LabelledImages
    from fmcgan.metric.table import as_markdown, measure_all

    if (config.run is None) == (config.samples is None):
        raise UserError("give either run=RUN_FOLDER_OR_CHECKPOINT or samples=FILE.npz")
    scores = instantiate(config.metric)
    samples, data_config, source = _from_run(config) if config.run else _from_file(config)
    data = instantiate(data_config)
    data.prepare_data()
    data.setup("fit")
    start = time.perf_counter()
    train = LabelledImages(data.images.train_images, data.images.train_labels)
    test = LabelledImages(data.images.test_images, data.images.test_labels)
    for score in scores.values():
        score.prepare(train, test, len(samples.labels), config.device)
    results = measure_all(scores, samples)
    table = as_markdown(results)
    print(table, end="")  # noqa: T201
    folder = Path(config.output) if config.output else _folder_of(source)
    folder.mkdir(parents=True, exist_ok=True)
    record = {"source": str(source), "n": len(samples.labels), "data": data_config["_target_"]}
    if config.run:
        record |= {"seed": config.seed, "weights": config.weights}
    record |= {"scores": results, "seconds": round(time.perf_counter() - start, 2)}
    run_folder.write_json(folder / "evaluation.json", record)
    run_folder.write_atomically(folder / "evaluation.md", f"Source: {source}\n\n{table}")
    log.info("written to %s", os.path.relpath(folder / "evaluation.json"))


def _from_run(config: DictConfig) -> tuple["LabelledImages", Any, Path]:
    from fmcgan.data.classes import NUM_CLASSES
    from fmcgan.generator import find_checkpoint, load_generator, trusted
    from fmcgan.metric.score import LabelledImages
    from fmcgan.training.sampling import sample_classes

    if not isinstance(config.n, int) or config.n < NUM_CLASSES or config.n % NUM_CLASSES:
        raise UserError(f"n must be a positive multiple of {NUM_CLASSES}, the number of classes, got {config.n!r}")
    generator = load_generator(config.run, config.weights, config.device)
    samples = sample_classes(generator.network, range(NUM_CLASSES), config.n // NUM_CLASSES, config.seed)
    chosen = any(override.startswith("data=") for override in HydraConfig.get().overrides.task)
    same = generator.config["data"]["_target_"] == config.data._target_
    # The run's own data set, with this command's paths where it is the same one.
    data = config.data if chosen or same else trusted(generator.config["data"], "fmcgan.data.")
    return LabelledImages(*samples), data, find_checkpoint(Path(config.run))


def _from_file(config: DictConfig) -> tuple["LabelledImages", Any, Path]:
    from fmcgan.metric.samples_file import read_samples

    return read_samples(Path(config.samples)), config.data, Path(config.samples)


def _folder_of(source: Path) -> Path:
    return source.parent.parent if source.parent.name == run_folder.CHECKPOINTS else source.parent


def main() -> None:
    """Entry of the console command."""
    run_command("evaluate", evaluate)


if __name__ == "__main__":
    main()
