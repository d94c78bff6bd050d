"""Loads a trained generator: ``load_generator(path).sample(classes=["bag"], n_per_class=16)``."""

import itertools
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
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
from fmcgan.app.device import check_device
from fmcgan.app.errors import UserError
from fmcgan.app.safe_instantiate import check_targets, trusted_packages
from fmcgan.data.garments import info_of
from fmcgan.data.images import to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.inference import hub
from fmcgan.inference.safetensors_file import SUFFIX, Metadata, read_generator
from fmcgan.training.checkpoint_file import read_checkpoint
from fmcgan.training.ema import measure_statistics
from fmcgan.training.latent import latent_dim_of
from fmcgan.training.sampling import sample_classes, stream_classes
from fmcgan.training.truncation import check_truncation
from fmcgan.training.weights import check_fit

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).parents[1] / "pretrained" / f"generator{SUFFIX}"  # the generator in the package
ALLOWED_PREFIXES = ("fmcgan.network.", "fmcgan.conditioning.")  # of classes that the configuration of a file may name
_TRIAL = 100  # images generated at once when a generator is loaded
_SOURCES = (
    f"a run folder (outputs/DATE/TIME), a checkpoint, an exported generator ({SUFFIX} or a folder of format=hub), or "
    "hf://owner/name on the Hugging Face hub"
)

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
            truncation: psi in 0..1; 1 is the trained distribution, smaller values give more typical and less varied
                images. Of the shipped generator 0.7 is best; below 0.6 images only lose variety, which is logged.
            first: index of the first image of each class.
        """
        seed_number(seed=seed)
        labels_of_classes = self.info.parse_classes(classes)
        check_truncation(truncation)
        images, labels = sample_classes(self.network, labels_of_classes, n_per_class, seed, truncation, first)
        return Samples(to_pixels(images), labels.numpy())

    def stream(
        self, classes: Classes = None, n_per_class: int = 10, seed: int = 0, truncation: float = 1.0, first: int = 0
    ) -> Iterator[Samples]:
        """Draws the images of `sample`, for more than fit into memory: yields batches of one class each."""
        seed_number(seed=seed)
        labels_of_classes = self.info.parse_classes(classes)
        check_truncation(truncation)
        batches = stream_classes(self.network, labels_of_classes, n_per_class, seed, truncation, first)
        return (Samples(to_pixels(images), labels.numpy()) for images, labels in batches)


def load_generator(
    path: str | Path | None = None,
    weights: str = "ema",
    device: str | torch.device = "cpu",
    trust: Collection[str] = (),
) -> LabelledGenerator:
    """Loads a trained generator.

    Args:
        path: a run folder (its ``checkpoints/last.ckpt``), a checkpoint, an exported generator (``.safetensors``), a
            folder of ``export format=hub``, or such a folder on the Hugging Face hub: ``hf://owner/name`` or
            ``hf://owner/name@revision``. ``None`` means the generator in the package.
        weights: ``"ema"``, the moving average, or ``"raw"``, the last trained weights.
        device: such as ``"cpu"`` or ``"cuda"``.
        trust: packages outside fmcgan, such as ``["my_package"]``, whose classes the file may name. Loading imports
            these packages and runs their code. Others are refused without being imported.

    Raises:
        UserError: there is no generator, it cannot be read or has other weights, it names a class of a package that is
            not trusted, or there is no such device.

    Examples:
        >>> generator = load_generator()
        >>> samples = generator.sample(classes=["bag", 3], n_per_class=2, seed=0)
        >>> samples.images.shape, samples.images.dtype, samples.labels
        ((4, 28, 28), dtype('uint8'), array([8, 8, 3, 3]))
    """
    one_of(("ema", "raw"), weights=weights)
    check_device(device)
    packages = trusted_packages(trust)
    file = SHIPPED if path is None else find_checkpoint(path)
    if not file.is_file():
        raise UserError(f"this version ships no generator: give run=, {_SOURCES}")
    state, about = read_generator(file) if file.suffix == SUFFIX else _read_state(file, weights)
    if about["weights"] != weights:
        raise UserError(f"{file} holds weights={about['weights']} only, got weights={weights}")
    network = build_network(file, "generator", about["generator"], state, about["config"], packages)
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


def build_network(
    file: Path, role: str, config: Metadata, state: Mapping[str, Tensor], run_config: Metadata, trust: Collection[str]
) -> nn.Module:
    """Builds a network of an untrusted configuration in evaluation mode, with its weights, and tries it on every class.

    Args:
        file: that holds the network, for messages.
        role: ``"generator"`` or ``"discriminator"``.
        config: that builds the network.
        state: its weights.
        run_config: of the run, which names its data set.
        trust: packages of `trusted_packages`.

    Raises:
        UserError: the configuration names a class that is not allowed, or the weights are not those of its network.
    """
    check_targets(config, *ALLOWED_PREFIXES, trust=trust)
    try:
        info = info_of(run_config)
        network = _build(config, state, info)
        _try_out(role, network, info)
    except Exception as error:  # the classes of an untrusted configuration may raise any error
        reason = " ".join(str(error.__cause__ or error).split())
        raise UserError(f"{file} does not hold the {role} of its configuration: {reason[:300]}") from error
    return network


def _build(config: Metadata, state: Mapping[str, Tensor], info: DatasetInfo) -> nn.Module:
    """Builds a network and loads its weights.

    It is first built on the meta device, since its configuration may ask for more memory than the file has. Networks of
    other packages may need values, as in training.
    """
    on_meta = str(config.get("_target_")).startswith("fmcgan.")
    with torch.device("meta") if on_meta else nullcontext(), _max_parameters(4 * len(state) + 100):
        network: nn.Module = instantiate(config)
        check_fit(network, state)
    if on_meta:
        network = instantiate(config)
    network.load_state_dict(state)
    if (known := getattr(network, "num_classes", info.num_classes)) != info.num_classes:
        raise ValueError(f"it knows {known} classes, its data set {info.name} has {info.num_classes}")
    network.num_classes = info.num_classes  # type: ignore[assignment]  # a user's own class need not have it
    return network.eval()


@torch.no_grad()
def _try_out(role: str, network: nn.Module, info: DatasetInfo) -> None:
    """Raises `ValueError` unless a network's outputs for every class are finite and have the right shape."""
    for labels in torch.arange(info.num_classes).split(_TRIAL):
        n, is_generator = len(labels), role == "generator"
        inputs = torch.zeros(n, latent_dim_of(network)) if is_generator else torch.zeros(n, *info.shape)
        outputs, expected = network(inputs, labels), info.shape if is_generator else ()
        if outputs.shape != (n, *expected) or not outputs.isfinite().all():
            found, what = tuple(outputs.shape[1:]), "images" if is_generator else "logits"
            raise ValueError(f"its {what} have shape {found} or hold NaN; those of {info.name} are {expected}")


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


def find_checkpoint(run: str | Path) -> Path:
    """Returns the file that ``run=`` names: itself, that of a folder, or one from the Hugging Face hub.

    Raises:
        UserError: there is none.
    """
    if hub.is_address(run):
        return hub.download(str(run))
    path = Path(run)
    for file in (path, path / run_dir.LAST_CHECKPOINT, path / hub.WEIGHTS):
        if file.is_file():
            return file
    problem = "neither a file nor a folder" if path.exists() else "no such file or folder"
    if path.is_dir():
        problem = f"the folder holds no {run_dir.LAST_CHECKPOINT} and no {hub.WEIGHTS}"
    raise UserError(f"run={path}: {problem}; give {_SOURCES}")


def run_folder_of(checkpoint: Path) -> Path | None:
    """Returns the run folder of a checkpoint; ``None`` for an exported generator."""
    if checkpoint.suffix == SUFFIX:
        return None
    return checkpoint.parent.parent if checkpoint.parent.name == run_dir.CHECKPOINTS else checkpoint.parent
