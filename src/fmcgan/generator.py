"""A trained generator as a library object: ``load_generator(path).sample(classes=["bag"], n_per_class=16)``."""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from hydra.utils import instantiate
from numpy.typing import NDArray
from torch import nn

from fmcgan import run_folder
from fmcgan.checks import one_of
from fmcgan.data.classes import parse_classes
from fmcgan.errors import UserError
from fmcgan.training.checkpoint_io import CHECKPOINT_FORMAT
from fmcgan.training.sampling import sample_classes, stream_classes


class Samples(NamedTuple):
    """Generated images: uint8 [N, 28, 28] in 0..255, and the classes they were asked to show, int64 [N]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


class LabelledGenerator:
    """A generator that makes images of chosen classes.

    Args:
        network: G(latent [B, Z], labels [B]) -> [B, 1, 28, 28] in [-1, 1], with `latent_dim`.
        config: the configuration of the run that trained it.
        images_seen: real images it was trained on, repetitions counted.
    """

    def __init__(self, network: nn.Module, config: Mapping[str, Any], images_seen: int) -> None:
        self.network = network
        self.config = config
        self.images_seen = images_seen

    def sample(
        self,
        classes: Sequence[str | int] | str | int | None = None,
        n_per_class: int = 10,
        seed: int = 0,
        truncation: float = 1.0,
        first: int = 0,
    ) -> Samples:
        """Makes images ``first`` ... ``first + n_per_class - 1`` of each class under a seed.

        The same seed, class and index give the same image (to within one grey level) whatever else is asked for.

        Args:
            classes: names or labels, in the order wanted; ``None`` is all ten.
            n_per_class: images of each class.
            seed: non-negative.
            truncation: psi; 1 is the trained distribution, smaller values give more typical, less varied images.
            first: index of the first image of each class.

        Returns:
            The images, class by class.
        """
        images, labels = sample_classes(self.network, parse_classes(classes), n_per_class, seed, truncation, first)
        return Samples(images.squeeze(1).numpy(), labels.numpy())

    def stream(
        self,
        classes: Sequence[str | int] | str | int | None = None,
        n_per_class: int = 10,
        seed: int = 0,
        truncation: float = 1.0,
        first: int = 0,
    ) -> Iterator[Samples]:
        """The images of `sample`, whose arguments it takes, a batch at a time: for more than fit into memory.

        Returns:
            An iterator over batches of one class each, class by class.
        """
        batches = stream_classes(self.network, parse_classes(classes), n_per_class, seed, truncation, first)
        return (Samples(images.squeeze(1).numpy(), labels.numpy()) for images, labels in batches)


def load_generator(path: str | Path, weights: str = "ema", device: str | torch.device = "cpu") -> LabelledGenerator:
    """Loads the generator of a run.

    Args:
        path: a run folder (its ``checkpoints/last.ckpt``) or a checkpoint.
        weights: ``"ema"``, the moving average, or ``"raw"``, the weights as last trained.
        device: where to put it.

    Raises:
        UserError: there is no checkpoint, it cannot be read, or there is no such device.
    """
    one_of(("ema", "raw"), weights=weights)
    check_device(device)
    checkpoint = read_checkpoint(find_checkpoint(Path(path)))
    prefix = "ema.generator." if weights == "ema" else "generator."
    state = checkpoint["state_dict"]
    network = instantiate(trusted(checkpoint["config"]["network"]["generator"], "fmcgan.network."))
    network.load_state_dict(
        {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    )
    return LabelledGenerator(network.to(device).eval(), checkpoint["config"], checkpoint["images_seen"])


def find_checkpoint(path: Path) -> Path:
    """The checkpoint that a person means by a run folder or a file.

    Raises:
        UserError: nothing is there.
    """
    if path.is_file():
        return path
    checkpoint = path / run_folder.LAST_CHECKPOINT
    if checkpoint.is_file():
        return checkpoint
    problem = f"no {run_folder.LAST_CHECKPOINT} in it" if path.is_dir() else "no such file or folder"
    raise UserError(f"run={path}: {problem}; give a run folder (outputs/DATE/TIME) or a checkpoint file")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint of this project; nothing in the file is executed (build from its configuration by `trusted`).

    Raises:
        UserError: damaged, or made by another program.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a checkpoint: it is damaged or of another program") from error
    missing = {"config", "state_dict", "images_seen"} - set(checkpoint if isinstance(checkpoint, dict) else ())
    if missing:
        raise UserError(f"{path} is not a checkpoint of fmcgan (no {', '.join(sorted(missing))} in it)")
    if (version := checkpoint.get("format", 1)) != CHECKPOINT_FORMAT:
        raise UserError(
            f"{path} is of checkpoint format {version}, this program reads {CHECKPOINT_FORMAT}: some weights are "
            "in another order. Use it with the version that made it (environment.json of its run names the commit)."
        )
    return checkpoint


def trusted(config: Any, prefix: str) -> Any:
    """Refuses a configuration that would build anything but this project's own classes.

    A checkpoint may come from anywhere, and what its configuration names would be called.

    Args:
        config: plain types.
        prefix: what every ``_target_`` must begin with.

    Returns:
        The configuration.

    Raises:
        UserError: names the target that is refused.
    """
    for value in config.values() if isinstance(config, Mapping) else config if isinstance(config, list) else ():
        trusted(value, prefix)
    target = str(config.get("_target_", prefix)) if isinstance(config, Mapping) else prefix
    if not target.startswith(prefix):
        raise UserError(f"the checkpoint asks to build {target}, which is not of {prefix}*; it is refused")
    return config


def check_device(device: str | torch.device) -> None:
    """Looks whether a device is there.

    Raises:
        UserError: it is not, or there is no such kind.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device={device} is not there ({str(error).splitlines()[0]}); use cpu, cuda or mps") from error
