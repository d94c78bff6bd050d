"""Classifier of a data set: network and weights files."""

import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from fmcgan.app.errors import UserError
from fmcgan.app.run_dir import write_json
from fmcgan.app.user_dirs import expand_home
from fmcgan.data.garments import GARMENTS, info_of
from fmcgan.data.images import to_float
from fmcgan.data.info import DatasetInfo

SHIPPED_WEIGHTS = Path(__file__).parents[1] / "weights" / "classifier.pt"
"""The weights in the package; ``classifier.json`` beside them has their data set, training and accuracy."""

_LARGE = 32  # pixels, above which the first pooling is twice as coarse, so that time and receptive field scale
_TRAINING = "python -m fmcgan.metric.train_classifier"
_REMEDY = f"Set feature.classifier.weights=null for the shipped ones, or train new ones: {_TRAINING}"


class Classifier(nn.Module):
    """A convolutional network of 96 features; 160,874 parameters for ten classes of grey images.

    Two residual stages (He et al. 2015, "Deep residual learning"), of 28×28 at 14×14 and 7×7, then the mean of the last
    ReLU over all positions, as in pool3 of Inception.

    Args:
        info: the data set, which ``info`` keeps.
    """

    num_features = 96

    def __init__(self, info: DatasetInfo = GARMENTS) -> None:
        super().__init__()
        self.info = info
        self.stem = _convolution(info.channels, 32)
        self.middle = _convolution(32, 48)
        self.middle_residual = _convolution(48, 48)
        self.last = _convolution(48, self.num_features)
        self.last_residual = _convolution(self.num_features, self.num_features)
        self.first_pool = nn.MaxPool2d(4 if info.size > _LARGE else 2)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(self.num_features, info.num_classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Classifies images uint8 [N, C, H, W]; returns features [N, 96], never negative, and logits [N, K]."""
        features = self.features_of(to_float(images))
        return features, self.head(features)

    def features_of(self, images: Tensor) -> Tensor:
        """Extracts features [N, 96] from float images [N, C, H, W] in [-1, 1], which need not be whole levels."""
        x = self.first_pool(self.stem(images))  # of 28×28: [N, 32, 14, 14]
        x = self.middle(x)
        x = self.pool(x + self.middle_residual(x))  # [N, 48, 7, 7]
        x = self.last(x)
        return (x + self.last_residual(x)).mean(dim=(2, 3))


def _convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True))


def new_classifier(seed: int, info: DatasetInfo = GARMENTS) -> Classifier:
    """Initialises a classifier with a seed; the global random state is unchanged."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed GPUs, which are not restored
        return Classifier(info)


def save_classifier(classifier: Classifier, path: Path, metadata: Mapping[str, object]) -> None:
    """Writes the weights as float16, then ``<name>.json`` beside them: metadata, data set and SHA-256 of the file."""
    state = {name: value.detach().cpu() for name, value in classifier.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: value.half() if value.is_floating_point() else value for name, value in state.items()}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    write_json(path.with_suffix(".json"), {**metadata, "dataset": classifier.info.as_config(), "sha256": digest})


def weights_file(path: Path | str | None = None) -> Path:
    """Returns the path of a weights file; ``None`` or empty: that in the package. Raises `UserError` without a file."""
    found = expand_home(path) if path else SHIPPED_WEIGHTS
    if not found.is_file():
        raise UserError(f"no classifier weights at {found}. {_REMEDY}")
    return found


def load_classifier(path: Path | str | None = None) -> Classifier:
    """Loads a file of `save_classifier` on the CPU, in eval mode, as float32 and without gradients.

    ``None`` means the file in the package. Data set and SHA-256 are in ``<name>.json`` beside the file; without it, the
    file is an older one, of garments, and is not checked. Raises `UserError` if it is missing, damaged or of another
    network.
    """
    path = weights_file(path)
    content, metadata = path.read_bytes(), path.with_suffix(".json")
    try:
        record: dict[str, object] = {}
        if metadata.is_file():
            record = json.loads(metadata.read_text(encoding="utf-8"))
            if record["sha256"] != hashlib.sha256(content).hexdigest():
                raise ValueError(f"its SHA-256 is not the one in {metadata.name}")
        classifier = new_classifier(seed=0, info=info_of(record))
        classifier.load_state_dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"cannot read the classifier weights {path}: {reason}. {_REMEDY}") from error
    return classifier.eval().requires_grad_(False)
