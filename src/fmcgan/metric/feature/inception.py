"""Features of the Fréchet Inception distance: pool3 of Inception-2015."""

import functools
import hashlib
import pickle
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from fmcgan.app.checks import whole_number
from fmcgan.app.errors import UserError
from fmcgan.app.user_dirs import expand_home
from fmcgan.metric.image_set import FeatureNetwork
from fmcgan.metric.results_store import Arrays

FILE_NAMES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
"""Names of the file in the torch hub cache: of torch-fidelity, and of pytorch-fid."""
ORIGIN = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE_NAMES[0]}"
RESIZER = "bilinear-tf1"
"""Bilinear interpolation of TensorFlow 1: pixel ``i`` of 299 lies at ``i * size / 299``, not at pixel centres."""

_REMEDY = (
    f"Download {ORIGIN} to that path, set feature.inception.weights=FILE or the environment variable "
    "FMCGAN_INCEPTION_WEIGHTS, or remove inception from metric/feature=."
)


class InceptionFeatures(FeatureNetwork):
    """The 2048 pool3 features of Inception-2015, for the FID (Heusel et al. 2017) and the KID.

    Network and resizer are those of torchmetrics' `FrechetInceptionDistance` with ``antialias=False``: torch-fidelity's
    bilinear resize to 299×299, which is that of the original TensorFlow 1 graph. (The default ``antialias=True`` is
    PyTorch's resize with half-pixel centres.) Grey images are repeated to 3 channels.

    With fewer than 2049 samples the covariance is rank-deficient and the FID strongly biased: compare equal numbers of
    samples only. A CPU processes a few images per second.
    """

    name = "inception"
    num_features = 2048
    abbreviations: ClassVar = {"frechet": "fid", "kernel": "kid"}

    def __init__(self, weights: Path | str | None = None, batch_size: int = 50) -> None:
        """Loads the file of `ORIGIN`, once per process and content, and never downloads it.

        ``None`` means the file in the torch hub cache. Raises `UserError` if it is missing, damaged or of another
        network. The batch size, at least 1, affects rounding only.
        """
        whole_number(batch_size=batch_size)
        self.batch_size = batch_size
        cache = Path(torch.hub.get_dir()) / "checkpoints"
        paths = [expand_home(weights)] if weights else [cache / name for name in FILE_NAMES]
        file = next((path for path in paths if path.is_file()), None)
        if file is None:
            raise UserError(f"no Inception weights at {' or '.join(map(str, paths))}. {_REMEDY}")
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        self.version = f"{digest[:16]}-{RESIZER}"
        self._network = _load(file, digest)

    def _extract(self, images: Tensor) -> Arrays:
        return {"features": self._network.to(images.device)(images.expand(-1, 3, -1, -1))}


@functools.lru_cache(maxsize=1)
def _load(file: Path, digest: str) -> nn.Module:
    """Loads a file; the digest is part of the key because the file may be overwritten."""
    # torchmetrics unpickles the file without restriction: this first load refuses all but tensors.
    try:
        torch.load(file, map_location="cpu", weights_only=True)
        from torchmetrics.image.fid import FrechetInceptionDistance

        with torch.random.fork_rng(devices=[]):  # the network draws initial weights before it loads its own
            metric = FrechetInceptionDistance(2048, feature_extractor_weights_path=str(file), antialias=False)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"cannot read the Inception weights {file}: {reason}. {_REMEDY}") from error
    return metric.inception.eval().requires_grad_(False)
