"""Loads the discriminator of a run: ``load_discriminator(run).logits(images, labels)``."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from fmcgan.app import run_dir
from fmcgan.app.device import check_device
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.escaping import printable
from fmcgan.app.run_files import read_environment
from fmcgan.app.safe_instantiate import own_class, trusted_class, trusted_packages
from fmcgan.data.garments import info_of
from fmcgan.data.images import to_float
from fmcgan.data.info import DatasetInfo
from fmcgan.inference.generator import build_network, find_checkpoint, run_folder_of
from fmcgan.inference.safetensors_file import SUFFIX, Metadata
from fmcgan.training.checkpoint_file import read_checkpoint

_BATCH = 250


class LabelledDiscriminator:
    """A discriminator that judges labelled images.

    Args:
        network: D(images [B, C, H, W] in [-1, 1], labels [B]) -> logits [B].
        config: of the run that trained it.
        images_seen: in training, with repetitions.
        has_decision_boundary: whether a positive logit means "real"; ``False`` for a critic, ``None`` if unknown.

    Attributes:
        info: classes and shape of its images, which ``config`` names.
    """

    def __init__(
        self, network: nn.Module, config: Metadata, images_seen: int, has_decision_boundary: bool | None
    ) -> None:
        self.network, self.config, self.images_seen = network, config, images_seen
        self.has_decision_boundary = has_decision_boundary
        self.info: DatasetInfo = info_of(config)

    @torch.no_grad()
    def logits(self, images: ArrayLike, labels: Sequence[str | int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """Computes the logit of each image; larger means more real.

        Args:
            images: uint8 [N, H, W] (grey) or [N, H, W, 3], as `LabelledGenerator.sample` returns them.
            labels: class name or label of each image.

        Returns:
            float32 [N].

        Raises:
            InvalidValueError: the images have another type or shape, a class does not exist, or the numbers differ.
        """
        pixels, targets = self._checked(images, labels)
        device = next(self.network.parameters()).device
        batches = zip(pixels.split(_BATCH), targets.split(_BATCH), strict=True)
        found = [self.network(to_float(x.to(device)), y.to(device)).float().cpu() for x, y in batches]
        return torch.cat([torch.zeros(0), *found]).numpy()

    def probability(self, images: ArrayLike, labels: Sequence[str | int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """Computes the probability that each image is real: the sigmoid of its logit, in 0..1, float32 [N].

        Above 0.5 means real. It is the share of real images among real and generated ones (Goodfellow et al. 2014,
        proposition 1) as far as the discriminator has learnt it, for the losses ``non_saturating`` and ``minimax``;
        others, such as ``hinge``, fit the side of the boundary only.

        Raises:
            InvalidValueError: as `logits`.
            UserError: the loss makes it a critic, whose logits have an arbitrary offset.
        """
        loss = printable((self.config.get("loss") or {}).get("_target_"))
        if self.has_decision_boundary is None:
            raise UserError(
                f"whether logits of the loss {loss} have a zero that separates real from generated images is not known "
                "from a checkpoint alone: load the run folder, whose environment.json records it"
            )
        if not self.has_decision_boundary:
            raise UserError(
                f"the loss {loss} trains a critic: its logits have no zero that separates real from generated images, "
                "so there is no probability; compare logits(...) with each other"
            )
        return torch.from_numpy(self.logits(images, labels)).sigmoid().numpy()

    def _checked(self, images: ArrayLike, labels: Sequence[str | int] | NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Returns images uint8 [N, C, H, W] and labels int64 [N]."""
        pixels, (channels, *size) = np.asarray(images), self.info.shape
        shape = (*size, channels) if channels > 1 else tuple(size)
        if pixels.dtype != np.uint8 or pixels.ndim == 0 or pixels.shape[1:] != shape:
            allowed = ", ".join(map(str, ("N", *shape)))
            raise InvalidValueError(
                f"images must be uint8 [{allowed}], got {pixels.dtype} {list(pixels.shape)}", "images"
            )
        if (named := np.asarray(labels)).shape != (len(pixels),):
            given = f"got an array of shape {list(named.shape)}"
            raise InvalidValueError(f"labels must name the class of each of {len(pixels)} images, {given}", "labels")
        known = {each: self.info.parse_classes(each)[0] for each in set(named.tolist())}
        targets = torch.tensor([known[each] for each in named.tolist()], dtype=torch.int64)
        tensor = torch.from_numpy(np.ascontiguousarray(pixels))
        return (tensor.permute(0, 3, 1, 2) if channels > 1 else tensor.unsqueeze(1)), targets


def load_discriminator(
    path: str | Path, device: str | torch.device = "cpu", trust: Collection[str] = ()
) -> LabelledDiscriminator:
    """Loads the discriminator of a run.

    Args:
        path: a run folder (its ``checkpoints/last.ckpt``) or a checkpoint. Exported generators have no discriminator.
        device: such as ``"cpu"`` or ``"cuda"``.
        trust: packages outside fmcgan whose classes the checkpoint may name, as for `load_generator`.

    Raises:
        UserError: there is no checkpoint, it cannot be read or names a class that is not trusted, or there is no such
            device.
    """
    check_device(device)
    packages = trusted_packages(trust)
    file = find_checkpoint(path)
    if file.suffix == SUFFIX:
        raise UserError(
            f"{file} is an exported generator, which has no discriminator; give a run folder or a checkpoint"
        )
    checkpoint = read_checkpoint(file)
    config, prefix = checkpoint["config"], "discriminator."
    if not (described := config["network"].get("discriminator")):
        raise UserError(f"{file} does not name the class of its discriminator, so it cannot be built")
    named = checkpoint["state_dict"].items()
    state = {name.removeprefix(prefix): value for name, value in named if name.startswith(prefix)}
    network = build_network(file, "discriminator", described, state, config, packages)
    boundary = _has_decision_boundary(file, config, packages)
    return LabelledDiscriminator(network.to(device), config, checkpoint["images_seen"], boundary)


def _has_decision_boundary(file: Path, config: Metadata, trust: Collection[str]) -> bool | None:
    """Returns what the run recorded; for a checkpoint without its run, what the class of its loss says."""
    folder = run_folder_of(file)
    recorded = ((folder and read_environment(folder / run_dir.ENVIRONMENT)) or {}).get("has_decision_boundary")
    target = (config.get("loss") or {}).get("_target_")
    of_class = getattr(own_class(target, "fmcgan.loss.") or trusted_class(target, trust), "has_decision_boundary", None)
    found = of_class if recorded is None else recorded
    return found if isinstance(found, bool) else None
