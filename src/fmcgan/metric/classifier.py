"""A small Fashion-MNIST classifier of our own: its features carry a Fréchet distance, its answers the label agreement.

The weights travel with the package, so a score needs no download. `train_classifier` is the command that made them.
"""

import hashlib
import io
import json
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fmcgan.app.errors import UserError
from fmcgan.app.run_dir import write_json
from fmcgan.app.user_dirs import expand_home
from fmcgan.data.classes import NUM_CLASSES
from fmcgan.data.images import to_float

SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "classifier.pt"
"""The weights in the package; beside them ``classifier.json`` says how they were made and how good they are."""

_REMEDY = (
    "Leave feature.classifier.weights null for the shipped ones, or make new ones: "
    "python -m fmcgan.metric.train_classifier"
)


class Classifier(nn.Module):
    """A convolutional network of 160,874 parameters for 28×28 grey images; feature width 96.

    Two residual stages at 14×14 and 7×7 and an average over the positions of the last ReLU, as Inception's pool3 is
    (He et al. 2015, "Deep residual learning", without the depth).
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
        """Reads images.

        Args:
            images: uint8 [N, 1, 28, 28] in 0..255.

        Returns:
            ``features`` float32 [N, 96], the means of ReLU outputs and so never negative, and ``logits`` [N, 10].

        Raises:
            TypeError: the images are not uint8.
        """
        features = self.features_of(to_float(images))
        return features, self.head(features)

    def features_of(self, images: Tensor) -> Tensor:
        """The features of images that were never rounded to grey levels: what follows the smallest change.

        Args:
            images: float [N, 1, 28, 28] in [-1, 1].

        Returns:
            [N, 96], as `forward` gives them for the same images.
        """
        x = self.pool(self.stem(images))  # [N, 32, 14, 14]
        x = self.middle(x)
        x = self.pool(x + self.middle_residual(x))  # [N, 48, 7, 7]
        x = self.last(x)
        return (x + self.last_residual(x)).mean(dim=(2, 3))


def _convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True))


def new_classifier(seed: int) -> Classifier:
    """A classifier with the initial weights of that seed; the global random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs too, whose state is not put back
        return Classifier()


@torch.no_grad()
def read_images(
    classifier: Classifier, images: Tensor, batch_size: int = 500, device: torch.device | str | None = None
) -> tuple[Tensor, Tensor]:
    """Runs the classifier in batches.

    Args:
        classifier: in eval mode, as `load_classifier` returns it.
        images: uint8 [N, 1, 28, 28].
        batch_size: images at once; it changes the results by float rounding only.
        device: where to compute; ``None`` takes the device of the images. The classifier is moved there.

    Returns:
        ``features`` float32 [N, 96] and ``logits`` float32 [N, 10], both on the CPU.
    """
    device = images.device if device is None else torch.device(device)
    classifier.to(device)
    read = [classifier(batch.to(device)) for batch in images.split(batch_size)]
    return torch.cat([features.cpu() for features, _ in read]), torch.cat([logits.cpu() for _, logits in read])


def save_classifier(classifier: Classifier, path: Path, metadata: dict[str, Any]) -> None:
    """Writes the weights, rounded to float16, and beside them ``<name>.json`` with their SHA-256 and the metadata."""
    state = {name: _narrowed(value.detach().cpu()) for name, value in classifier.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    write_json(path.with_suffix(".json"), {**metadata, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()})


def weights_file(path: Path | str | None = None) -> Path:
    """Finds weights.

    Args:
        path: of a file; ``None`` (or empty) means the one in the package.

    Raises:
        UserError: there is no such file.
    """
    found = expand_home(path) if path else SHIPPED_WEIGHTS
    if not found.is_file():
        raise UserError(f"no classifier weights at {found}. {_REMEDY}")
    return found


def load_classifier(path: Path | str | None = None) -> Classifier:
    """Loads a classifier for measuring: eval mode, float32, no gradients, on the CPU.

    Args:
        path: weights as `save_classifier` writes them; ``None`` means those in the package. If ``<name>.json`` lies
            beside them, their SHA-256 is checked against it.

    Raises:
        UserError: the file is missing, damaged or not of this network.
    """
    path = weights_file(path)
    content = path.read_bytes()
    metadata = path.with_suffix(".json")
    try:
        if (
            metadata.is_file()
            and json.loads(metadata.read_text(encoding="utf-8"))["sha256"] != hashlib.sha256(content).hexdigest()
        ):
            raise ValueError(f"its SHA-256 is not the one in {metadata.name}")
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        classifier = new_classifier(seed=0)
        classifier.load_state_dict(state)  # copies float16 into float32
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"the classifier weights {path} cannot be read: {reason}. {_REMEDY}") from error
    return classifier.eval().requires_grad_(False)


def _narrowed(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value
