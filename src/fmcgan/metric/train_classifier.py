"""Trains the classifier of the metrics.

``python -m fmcgan.metric.train_classifier`` with its default values trained the shipped weights, of Fashion-MNIST, and
wrote ``weights/classifier.json``. With ``data=NAME`` it trains that of another data set ahead of the first evaluation,
into the user's cache folder. The test images are used once, at the end, and for no choice.
"""

import argparse
import logging
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf.errors import OmegaConfBaseException

from fmcgan.app import plugins
from fmcgan.app.config_dir import config_dir
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import UserError
from fmcgan.app.overrides import key_of, parse, parse_arguments
from fmcgan.app.typed_overrides import normalize_overrides
from fmcgan.data.datamodule import ImageDataModule, ImageSplits
from fmcgan.data.fashion_mnist import FashionMNISTData
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.feature.classifier_network import load_classifier, save_classifier
from fmcgan.metric.feature.classifier_training import BATCH_SIZE, EPOCHS, accuracy, train, training_record
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store

_log = logging.getLogger(__name__)


def train_and_save(images: ImageSplits, epochs: int, seed: int, output: Path) -> dict[str, object]:
    """Trains on Fashion-MNIST, and writes the weights and ``<name>.json`` beside them.

    The accuracy on the test images is that of the written float16 weights. Returns the metadata.
    """
    start = time.monotonic()
    classifier = train(images.train_images, images.train_labels, epochs=epochs, seed=seed)
    record = {
        "command": shlex.join(["python", "-m", "fmcgan.metric.train_classifier", *sys.argv[1:]]),
        **training_record(classifier, seed, epochs, time.monotonic() - start),
    }
    save_classifier(classifier, output, record)
    record["test_accuracy"] = accuracy(load_classifier(output), images.test_images, images.test_labels)
    save_classifier(classifier, output, record)
    return record


def train_ahead(overrides: Sequence[str]) -> None:
    """Trains the classifier of a data set into the cache, as `ClassifierFeatures.fit` does.

    Args:
        overrides: of the group ``data``, such as ``data=digits`` and ``data.root=FOLDER``.
    """
    typed = normalize_overrides(parse_arguments(list(overrides)), "evaluate")
    if other := [text for text in typed if key_of(parse(text)).partition(".")[0] != "data"]:
        raise UserError(f"got {other[0]}; give data=NAME and data.KEY=VALUE only")
    plugins.register()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        data: ImageDataModule = instantiate(compose("evaluate", typed).data)
    data.prepare_data()
    data.setup("fit")
    images, store = data.images, Store()
    train_set = ImageSet(images.train_images, images.train_labels, data.info, store=store)
    features = ClassifierFeatures()
    features.fit(RealImages(train_set, ImageSet(images.test_images, images.test_labels, data.info, store=store)))
    _log.info("classifier %s of %s is ready", features.version, data.info.name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command, see ``--help``."""
    parser = argparse.ArgumentParser(prog="python -m fmcgan.metric.train_classifier", description=__doc__)
    ahead = "data=NAME and data.KEY=VALUE of another data set, whose classifier is cached; the options do not apply"
    parser.add_argument("overrides", nargs="*", help=ahead)
    parser.add_argument("--data-root", default="data", help="folder of the data set (default: %(default)s)")
    mirror = "folder or address of the data set (default: FMCGAN_DATA_MIRROR, else the official ones)"
    parser.add_argument("--data-mirror", default=os.environ.get("FMCGAN_DATA_MIRROR"), help=mirror)
    passes = "passes over the 60,000 images (default: %(default)s)"
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=passes)
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("classifier.pt"), help="default: ./%(default)s")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        if options.overrides:
            train_ahead(options.overrides)
            return
        data = FashionMNISTData(options.data_root, options.data_mirror, batch_size=BATCH_SIZE, seed=options.seed)
        data.prepare_data()
        data.setup("fit")
        record = train_and_save(data.images, options.epochs, options.seed, options.output)
    except (UserError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    except (HydraException, OmegaConfBaseException) as error:
        parser.exit(2, f"{format_error(error)}\n")
    _log.info("%s: accuracy %.4f on the test images", options.output, record["test_accuracy"])


if __name__ == "__main__":
    main()
