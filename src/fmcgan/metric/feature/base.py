"""What a feature network is: images in, vectors out, of a version that can be told."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.results_store import Arrays


class FeatureNetwork(ABC):
    """A fixed network whose features carry distances.

    Several scores may each hold a network of the same version: a set of images is read once all the same.
    """

    name: ClassVar[str]
    """As score names carry it."""

    version: str
    """Names the weights: hexadecimal, derived from their hash."""

    num_features: int

    batch_size: int
    """Images at once; of no influence beyond float rounding."""

    abbreviations: ClassVar[Mapping[str, str]] = {"frechet": "fd", "kernel": "kd"}
    """How the names of distances on these features begin. Only Inception's may be called FID and KID."""

    def features(self, images: ImageSet) -> Tensor:
        """The features of a set, float32 [N, num_features] on the CPU; each set is read once."""
        return self.reading(images)["features"]

    def reading(self, images: ImageSet) -> Arrays:
        """All that the network says of a set, float32 tensors on the CPU: ``features`` and what else `_read` gives."""
        return images.derived(f"reading of {self.name} {self.version}", lambda: self._read_all(images))

    @torch.no_grad()
    def _read_all(self, images: ImageSet) -> Arrays:
        # A GPU's shortened products (TF32) would show in the scores.
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, allow_tf32=False):
            batches = [self._read(batch.to(images.device)) for batch in images.images.split(self.batch_size)]
        return {name: torch.cat([batch[name].float().cpu() for batch in batches]) for name in batches[0]}

    @abstractmethod
    def _read(self, images: Tensor) -> Arrays:
        """Reads a batch.

        Args:
            images: uint8 [B, 1, 28, 28] on the device on which to compute.

        Returns:
            ``features`` [B, num_features] and, from a classifier, ``logits`` [B, 10].
        """
