"""The Fréchet Inception distance in its field's own definition: Inception-2015, pool3, TensorFlow 1's resizing."""

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from fmcgan.checks import whole_number
from fmcgan.errors import UserError
from fmcgan.metric.frechet import frechet_distance, gaussian_statistics
from fmcgan.metric.score import LabelledImages, Measurement, Score, count_name

FILE_NAMES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
"""What torch-fidelity and pytorch-fid call the same file in the torch hub cache."""

ORIGIN = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE_NAMES[0]}"

_REMEDY = (
    f"Get {FILE_NAMES[0]} from {ORIGIN} and put it there, or say where it is: metric.inception.weights=FILE or the "
    "environment variable FMCGAN_INCEPTION_WEIGHTS. Or leave inception out of `metric`."
)


class InceptionFID(Score):
    """``fid_inception_{n}_test``: Heusel et al. 2017 on the 2048 pool3 features of Inception-2015.

    Network and resizer are those of torchmetrics' `FrechetInceptionDistance` with ``antialias=False``, that is,
    torch-fidelity's bilinear resize to 299×299 as TensorFlow 1 did it inside the original graph; torchmetrics' default
    ``antialias=True`` is PyTorch's half-pixel-centred resize, another one. Grey images are repeated to 3 channels.
    The distance comes from the same float64 solver as ours on the classifier, because torchmetrics' own takes far
    longer and keeps float64 states on the device, which MPS cannot.

    Fewer than 2049 samples leave the covariance rank-deficient and the distance strongly biased: compare equal ``n``
    only. On a CPU expect a few images per second.
    """

    def __init__(self, weights: Path | str | None = None, batch_size: int = 50) -> None:
        """Loads the network; never downloads it.

        Args:
            weights: the file of `ORIGIN`; ``None`` (or empty) looks for it in the torch hub cache.
            batch_size: images at once; of no influence beyond float rounding.

        Raises:
            UserError: the file is missing, damaged or not of this network.
            ValueError: batch_size is not a whole number of at least 1.
        """
        whole_number(batch_size=batch_size)
        self.batch_size = batch_size
        self._network = _load_network(_find_weights(weights))

    def _set_reference(self, test: LabelledImages) -> None:
        self._reference = gaussian_statistics(self._features(test.images))

    def _measure(self, samples: LabelledImages) -> dict[str, Measurement]:
        distance = frechet_distance(*gaussian_statistics(self._features(samples.images)), *self._reference)
        return {f"fid_inception_{count_name(self.n)}_test": Measurement(distance, "lower")}

    @torch.no_grad()
    def _features(self, images: Tensor) -> Tensor:
        """Maps uint8 [N, 1, 28, 28] to pool3 features, float32 [N, 2048] on the CPU."""
        network = self._network.to(self.device)
        batches = images.split(self.batch_size)
        return torch.cat([network(batch.to(self.device).expand(-1, 3, -1, -1)).cpu() for batch in batches])


def _find_weights(weights: Path | str | None) -> Path:
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    places = [Path(weights).expanduser()] if weights else [cache / name for name in FILE_NAMES]
    for place in places:
        if place.is_file():
            return place
    raise UserError(f"no Inception weights at {' or '.join(map(str, places))}. {_REMEDY}")


def _load_network(path: Path) -> nn.Module:
    # torchmetrics would unpickle the file without restriction: this first load refuses all but tensors.
    try:
        torch.load(path, map_location="cpu", weights_only=True)
        from torchmetrics.image.fid import FrechetInceptionDistance

        with torch.random.fork_rng(devices=[]):  # the network draws initial weights before it loads its own
            metric = FrechetInceptionDistance(2048, feature_extractor_weights_path=str(path), antialias=False)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"the Inception weights {path} cannot be read: {reason} {_REMEDY}") from error
    return metric.inception.eval().requires_grad_(False)
