import pytest
import torch
from torch import nn

from fmcgan.probing.classifier import Classifier
from fmcgan.probing.latent_search import smallest_changes

SIZE = 16


class Flat(nn.Module):
    """Writes the latent vector into the first pixels of an image, linearly in -4..4."""

    latent_dim = 6

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.25))

    def forward(self, latent, labels):
        images = torch.zeros(len(latent), 1, SIZE, SIZE, device=latent.device)
        images[:, 0, 0, :6] = self.scale * latent
        return images


def linear(weights):
    """A classifier of two classes: class 1 if ``weights · latent > 1``."""

    def outputs(images):
        score = 4 * images[:, 0, 0, :6] @ weights - 1
        return torch.stack([torch.zeros_like(score), score], dim=1).log_softmax(dim=1)

    return Classifier("linear", outputs, True, torch.device("cpu"))


@pytest.mark.parametrize(("steps", "most"), [(80, 1.08), (None, 1.25)])
def test_the_shortest_change_to_a_plane_is_its_distance(steps, most):
    if steps is None:
        pytest.importorskip("cma")
    weights = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0, 0.5])
    latents = torch.tensor([[0.0] * 6, [0.5, -1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 0.2]])
    labels = torch.zeros(3, dtype=torch.int64)
    distances = (1 - latents @ weights) / weights.norm()
    found = smallest_changes(Flat(), linear(weights), latents, labels, steps, 60, seed=0)
    ratio = found.norm(dim=1) / distances
    assert (ratio > 0.95).all()  # grey levels are whole
    assert (ratio < most).all()


def test_a_verdict_that_never_changes_has_no_change():
    labels = torch.zeros(2, dtype=torch.int64)
    constant = Classifier(
        "constant",
        lambda images: images.sum((1, 2, 3), keepdim=False)[:, None] * 0 + torch.tensor([0.0, -5.0]),
        True,
        torch.device("cpu"),
    )
    found = smallest_changes(Flat(), constant, torch.randn(2, 6), labels, 10, 5, seed=0)
    assert found.isnan().all()
