"""Fashion-MNIST classifier: network, weights files, features and predictions."""

import functools
import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from fmcgan.app.checks import whole_number
from fmcgan.app.errors import UserError
from fmcgan.app.run_dir import write_json
from fmcgan.app.user_dirs import expand_home
from fmcgan.data.classes import NUM_CLASSES
from fmcgan.data.images import to_float
from fmcgan.metric.image_set import FeatureNetwork, ImageSet
from fmcgan.metric.results_store import Arrays

SHIPPED_WEIGHTS = Path(__file__).parents[1] / "weights" / "classifier.pt"
"""The weights in the package; ``classifier.json`` beside them says how they were trained, and their accuracy."""

_TRAINING = "python -m fmcgan.metric.train_classifier"
_REMEDY = f"Set feature.classifier.weights=null for the shipped ones, or train new ones: {_TRAINING}"


class Classifier(nn.Module):
    """A convolutional network of 160,874 parameters and 96 features for grey images of 28×28.

    Two residual stages at 14×14 and 7×7 (He et al. 2015, "Deep residual learning"), then the mean of the last ReLU over
    all positions, as in pool3 of Inception.
    """

    num_features = 96

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(1, 32)
        self.middle = _convolution(32, 48)
        self.middle_residual = _convolution(48, 48)
        self.last = _convolution(48, self.num_features)
        self.last_residual = _convolution(self.num_features, self.num_features)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(self.num_features, NUM_CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Classifies images uint8 [N, 1, 28, 28]; returns features [N, 96], never negative, and logits [N, 10]."""
        features = self.features_of(to_float(images))
        return features, self.head(features)

    def features_of(self, images: Tensor) -> Tensor:
        """Extracts features [N, 96] from float images [N, 1, 28, 28] in [-1, 1], which need not be grey levels."""
        x = self.pool(self.stem(images))  # [N, 32, 14, 14]
        x = self.middle(x)
        x = self.pool(x + self.middle_residual(x))  # [N, 48, 7, 7]
        x = self.last(x)
        return (x + self.last_residual(x)).mean(dim=(2, 3))


def _convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True))


class ClassifierFeatures(FeatureNetwork):
    """The 96 features before the classifier's last layer, and its predictions: no download, seconds on a CPU.

    The features represent differences between classes. They hardly change when an image is mirrored or shifted by a
    pixel, since the classifier was trained with both augmentations; those of `RandomConvolutions` do. A Fréchet
    distance on them is not comparable with an FID.
    """

    name = "classifier"
    num_features = Classifier.num_features

    def __init__(self, weights: Path | str | None = None, batch_size: int = 100) -> None:
        """Loads a file of `fmcgan.metric.train_classifier`, once per process and content; ``None``: the shipped one.

        Raises `UserError` if the weights are missing or damaged. The batch size, at least 1, affects rounding only.
        """
        whole_number(batch_size=batch_size)
        self.batch_size = batch_size
        file = weights_file(weights)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.version = digest[:16]
        self._network = _load(file, digest)

    def logits(self, images: ImageSet) -> Tensor:
        """Returns the logits of a set, float32 [N, 10] on the CPU."""
        return self.outputs(images)["logits"]

    def _extract(self, images: Tensor) -> Arrays:
        features, logits = self._network.to(images.device)(images)
        return {"features": features, "logits": logits}


@functools.lru_cache(maxsize=4)
def _load(file: Path, digest: str) -> Classifier:
    """Loads a file; the digest is part of the key because the file may be overwritten."""
    return load_classifier(file)


def new_classifier(seed: int) -> Classifier:
    """Initialises a classifier with a seed; the global random state is unchanged."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed GPUs, which are not restored
        return Classifier()


def save_classifier(classifier: Classifier, path: Path, metadata: Mapping[str, object]) -> None:
    """Writes the weights as float16, and ``<name>.json`` beside them with the metadata and the SHA-256 of the file."""
    state = {name: value.detach().cpu() for name, value in classifier.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: value.half() if value.is_floating_point() else value for name, value in state.items()}, path)
    write_json(path.with_suffix(".json"), {**metadata, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()})


def weights_file(path: Path | str | None = None) -> Path:
    """Returns the path of a weights file; ``None`` or empty: that in the package. Raises `UserError` without a file."""
    found = expand_home(path) if path else SHIPPED_WEIGHTS
    if not found.is_file():
        raise UserError(f"no classifier weights at {found}. {_REMEDY}")
    return found


def load_classifier(path: Path | str | None = None) -> Classifier:
    """Loads a file of `save_classifier` on the CPU, in eval mode, as float32 and without gradients.

    ``None`` means the file in the package. The SHA-256 is checked if ``<name>.json`` is beside the file. Raises
    `UserError` if it is missing, damaged or of another network.
    """
    path = weights_file(path)
    content, metadata = path.read_bytes(), path.with_suffix(".json")
    try:
        if metadata.is_file():
            expected = json.loads(metadata.read_text(encoding="utf-8"))["sha256"]
            if expected != hashlib.sha256(content).hexdigest():
                raise ValueError(f"its SHA-256 is not the one in {metadata.name}")
        classifier = new_classifier(seed=0)
        classifier.load_state_dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"cannot read the classifier weights {path}: {reason}. {_REMEDY}") from error
    return classifier.eval().requires_grad_(False)
