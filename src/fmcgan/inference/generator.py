"""Loads a trained generator: ``load_generator(path).sample(classes=["bag"], n_per_class=16)``."""

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from hydra.utils import instantiate
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from fmcgan.app import run_dir
from fmcgan.app.checks import one_of, seed_number
from fmcgan.app.errors import UserError
from fmcgan.app.safe_instantiate import check_targets
from fmcgan.data.garments import info_of
from fmcgan.data.images import to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.inference.safetensors_file import SUFFIX, Metadata, read_generator
from fmcgan.training.checkpoint_file import read_checkpoint
from fmcgan.training.ema import measure_statistics
from fmcgan.training.latent import latent_dim_of
from fmcgan.training.sampling import sample_classes, stream_classes
from fmcgan.training.weights import check_fit

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).parents[1] / "pretrained" / f"generator{SUFFIX}"  # the generator in the package
ALLOWED_PREFIXES = ("fmcgan.network.", "fmcgan.conditioning.")  # of classes that the configuration of a file may name
_TRIAL = 100  # images generated at once when a generator is loaded
_SOURCES = f"a run folder (outputs/DATE/TIME), a checkpoint or an exported generator ({SUFFIX})"

Classes = Sequence[str | int] | str | int | None


class Samples(NamedTuple):
    """Generated images, uint8 [N, H, W] (grey) or [N, H, W, 3] in 0..255, and their class labels, int64 [N]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


class LabelledGenerator:
    """A generator that draws images of chosen classes.

    Args:
        network: G(latent [B, Z], labels [B]) -> [B, C, H, W] in [-1, 1], with `latent_dim`.
        about: metadata from its file: ``generator`` (the configuration that builds it), ``config`` (of the run that
            trained it), ``images_seen`` (in training, with repetitions), ``weights`` (``"ema"`` or ``"raw"``). An
            exported generator also has ``scores``, ``environment`` and more (`fmcgan.inference.safetensors_file`).

    Attributes:
        info: classes and shape of its images, which ``config`` names.
    """

    def __init__(self, network: nn.Module, about: Metadata) -> None:
        self.network = network
        self.about = about
        self.config: Metadata = about["config"]
        self.info: DatasetInfo = info_of(self.config)
        self.images_seen: int = about["images_seen"]

    def sample(
        self, classes: Classes = None, n_per_class: int = 10, seed: int = 0, truncation: float = 1.0, first: int = 0
    ) -> Samples:
        """Draws images ``first`` ... ``first + n_per_class - 1`` of each class, class by class.

        The same seed, class and index always give the same image, to within one grey level.

        Args:
            classes: names or labels, in the order of the result; ``None`` means all.
            n_per_class: images of each class.
            seed: from 0 to 2**32 - 1.
            truncation: psi; 1 is the trained distribution, smaller values give more typical and less diverse images.
            first: index of the first image of each class.
        """
        seed_number(seed=seed)
        labels_of_classes = self.info.parse_classes(classes)
        images, labels = sample_classes(self.network, labels_of_classes, n_per_class, seed, truncation, first)
        return Samples(to_pixels(images), labels.numpy())

    def stream(
        self, classes: Classes = None, n_per_class: int = 10, seed: int = 0, truncation: float = 1.0, first: int = 0
    ) -> Iterator[Samples]:
        """Draws the images of `sample`, for more than fit into memory: yields batches of one class each."""
        seed_number(seed=seed)
        labels_of_classes = self.info.parse_classes(classes)
        batches = stream_classes(self.network, labels_of_classes, n_per_class, seed, truncation, first)
        return (Samples(to_pixels(images), labels.numpy()) for images, labels in batches)


def load_generator(
    path: str | Path | None = None, weights: str = "ema", device: str | torch.device = "cpu"
) -> LabelledGenerator:
    """Loads a trained generator.

    Args:
        path: a run folder (its ``checkpoints/last.ckpt``), a checkpoint or an exported generator (``.safetensors``);
            ``None`` means the one in the package.
        weights: ``"ema"``, the moving average, or ``"raw"``, the last trained weights.
        device: such as ``"cpu"`` or ``"cuda"``.

    Raises:
        UserError: there is no generator, it cannot be read or has other weights, or there is no such device.

    Example:
        >>> generator = load_generator()
        >>> samples = generator.sample(classes=["bag", 3], n_per_class=2, seed=0)
        >>> samples.images.shape, samples.images.dtype, samples.labels
        ((4, 28, 28), dtype('uint8'), array([8, 8, 3, 3]))
    """
    one_of(("ema", "raw"), weights=weights)
    check_device(device)
    file = SHIPPED if path is None else find_checkpoint(Path(path))
    if not file.is_file():
        raise UserError(f"this version ships no generator: give run=, {_SOURCES}")
    state, about = read_generator(file) if file.suffix == SUFFIX else _read_state(file, weights)
    if about["weights"] != weights:
        raise UserError(f"{file} holds weights={about['weights']} only, got weights={weights}")
    config = check_targets(about["generator"], *ALLOWED_PREFIXES)
    try:
        network = _build(config, state, info_of(about["config"]))
    except Exception as error:  # the classes of an untrusted configuration may raise any error
        reason = " ".join(str(error.__cause__ or error).split())
        raise UserError(f"{file} does not hold the generator of its configuration: {reason[:300]}") from error
    network = network.to(device)
    if about["weights"] == "raw":
        measure_statistics(network)  # as for the moving average
    if path is None:
        log.info("using the shipped generator (run= chooses another), %s images seen", f"{about['images_seen']:,}")
    return LabelledGenerator(network, about)


def _read_state(path: Path, weights: str) -> tuple[dict[str, Tensor], Metadata]:
    checkpoint = read_checkpoint(path)
    prefix = "ema.generator." if weights == "ema" else "generator."
    named = checkpoint["state_dict"].items()
    state = {name.removeprefix(prefix): value for name, value in named if name.startswith(prefix)}
    about = {name: checkpoint[name] for name in ("config", "images_seen")}
    return state, {"generator": about["config"]["network"]["generator"], **about, "weights": weights}


def _build(config: Metadata, state: Mapping[str, Tensor], info: DatasetInfo) -> nn.Module:
    """Builds the generator of an untrusted configuration, loads its weights and generates an image of each class.

    The network is first built on the meta device, since its configuration may ask for more memory than the file has.
    """
    with torch.device("meta"), _max_parameters(4 * len(state) + 100):
        check_fit(instantiate(config), state)
    network: nn.Module = instantiate(config)
    network.load_state_dict(state)
    if (known := getattr(network, "num_classes", info.num_classes)) != info.num_classes:
        raise ValueError(f"it knows {known} classes, its data set {info.name} has {info.num_classes}")
    with torch.no_grad():
        for labels in torch.arange(info.num_classes).split(_TRIAL):
            images = network.eval()(torch.zeros(len(labels), latent_dim_of(network)), labels)
            if images.shape != (len(labels), *info.shape) or not images.isfinite().all():
                found, expected = tuple(images.shape[1:]), info.shape
                raise ValueError(f"its images have shape {found} or hold NaN; those of {info.name} are {expected}")
    return network


@contextmanager
def _max_parameters(maximum: int) -> Iterator[None]:
    """Raises an error if modules of this process get more than this number of parameters."""
    count = itertools.count(1)

    def check(*registered: object) -> None:
        if next(count) > maximum:
            raise RuntimeError("its configuration has more weights than the file")

    handle = register_module_parameter_registration_hook(check)
    try:
        yield
    finally:
        handle.remove()


def find_checkpoint(path: Path) -> Path:
    """Returns the path of a file, or the last checkpoint of a run folder. Raises `UserError` if there is none."""
    checkpoint = path / run_dir.LAST_CHECKPOINT
    for file in (path, checkpoint):
        if file.is_file():
            return file
    problem = "neither a file nor a folder" if path.exists() else "no such file or folder"
    if path.is_dir():
        problem = f"the folder holds no {run_dir.LAST_CHECKPOINT}"
    raise UserError(f"run={path}: {problem}; give {_SOURCES}")


def run_folder_of(checkpoint: Path) -> Path | None:
    """Returns the run folder of a checkpoint; ``None`` for an exported generator."""
    if checkpoint.suffix == SUFFIX:
        return None
    return checkpoint.parent.parent if checkpoint.parent.name == run_dir.CHECKPOINTS else checkpoint.parent


def check_device(device: object) -> None:
    """Raises `UserError` unless a device is available."""
    if not isinstance(device, str | torch.device):
        raise UserError(f"device must be cpu, cuda (cuda:1 is the second GPU) or mps, got {device!r}")
    try:
        torch.ones(1, device=device).item()  # "meta" is a device too, but has no values
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device={device} is not available ({reason}); use cpu, cuda or mps") from error
