"""Latent directions from a generator's weights (SeFa) and activations (GANSpace)."""

import copy
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from fmcgan.training.latent import draw_latents, latent_dim_of

_WEIGHTED = nn.Linear, nn.Conv2d, nn.ConvTranspose2d
_ROUNDING = 1e-9  # relative difference below which float64 outputs count as equal
_AT_ONCE = 500


class Principal(NamedTuple):
    """Directions, the strongest first."""

    directions: Tensor  # unit vectors, float32 [K, Z]
    shares: NDArray[np.float64]  # explained share of the total of each, in 0..1, float64 [K]


class AffineLayers(NamedTuple):
    """Layers whose output is an affine function of the latent vector."""

    names: tuple[str, ...]  # in the order of their calls
    gram: Tensor  # ``AᵀA`` of their stacked matrices A, mean over the classes, float64 [Z, Z]
    next: str | None  # first weighted layer after a nonlinearity; None if there is none


class _Reached(Exception):  # noqa: N818 (not an error: ends a forward pass early)
    pass


@torch.no_grad()
def affine_layers(generator: nn.Module, classes: Sequence[int]) -> AffineLayers:
    """Finds affine layers of any network by their outputs for some classes.

    The outputs at 0 and at the unit vectors determine an affine layer. Where the map depends on the label, as with an
    embedding that multiplies the latent vector, ``AᵀA`` is averaged over the classes. A float64 copy of the generator,
    which has ``latent_dim``, is used.
    """
    size = latent_dim_of(generator)
    exact = copy.deepcopy(generator).cpu().double().eval()
    names, following = _sorted_layers(exact, size, (classes[0], classes[-1]))
    gram = torch.zeros(size, size, dtype=torch.float64)
    waiting: set[str] = set()

    def watch(name: str) -> None:
        def look(layer: nn.Module, arguments: tuple[Tensor], output: Tensor) -> None:
            values = output.flatten(1)
            slopes = values[1:] - values[0]  # Aᵀ, [Z, outputs]
            gram.add_(slopes @ slopes.T / len(classes))
            waiting.discard(name)
            if not waiting:
                raise _Reached

        exact.get_submodule(name).register_forward_hook(look)

    points = torch.cat([torch.zeros(1, size), torch.eye(size)]).double()
    for name in names:
        watch(name)
    for label in classes if names else ():
        waiting.update(names)
        with suppress(_Reached):
            exact(points, torch.full((len(points),), label))
    return AffineLayers(names, gram, following)


def _sorted_layers(exact: nn.Module, size: int, classes: tuple[int, int]) -> tuple[tuple[str, ...], str | None]:
    """Finds the weighted layers that are affine in the latent vector, in the order of calls, and the first other one.

    A function is affine if ``f(a) - f(b) + f(c) = f(a - b + c)``, tested at random vectors and two classes.
    """
    points = draw_latents(0, 0, 3, size).double()
    points = torch.cat([points, points[:1] - points[1:2] + points[2:]])
    affine: dict[str, None] = {}  # ordered, unlike a set
    curved: dict[str, None] = {}

    def watch(name: str, layer: nn.Module) -> RemovableHandle:
        def look(layer: nn.Module, arguments: tuple[Tensor], output: Tensor) -> None:
            first, second, third, fourth = output.flatten(1).unflatten(0, (2, 4)).unbind(1)
            rounding = _ROUNDING * output.abs().max()
            if (first - second + third - fourth).abs().max() > rounding:
                curved[name] = None
            elif (first - second).abs().max() > rounding:  # else it depends on the label only
                affine[name] = None

        return layer.register_forward_hook(look)

    handles = [watch(name, layer) for name, layer in exact.named_modules() if isinstance(layer, _WEIGHTED)]
    exact(points.repeat(2, 1), torch.tensor(classes).repeat_interleave(4))
    for handle in handles:
        handle.remove()
    return tuple(name for name in affine if name not in curved), next(iter(curved), None)


def closed_form(gram: Tensor, count: int) -> Principal:
    """Computes eigenvectors of ``AᵀA``, along which affine layers change most (Shen and Zhou 2021, SeFa, eq. 6).

    ``gram`` is ``AᵀA``, float64 [Z, Z]; ``count`` is the number of directions, at most Z.
    """
    values, vectors = torch.linalg.eigh(gram)  # rising
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    return Principal(_oriented(vectors.T[:count]).float(), (values / values.sum())[:count].numpy())


@torch.no_grad()
def activations_before(generator: nn.Module, layer: str, latents: Tensor, labels: Tensor) -> Tensor:
    """Computes the flattened input of a layer, float32 [N, A] on the CPU, without the later layers.

    The generator is in evaluation mode, on any device; latents are float32 [N, Z] and labels int64 [N].
    """
    received: list[Tensor] = []
    device = next(generator.parameters()).device

    def take(layer: nn.Module, arguments: tuple[Tensor]) -> None:
        received.append(arguments[0].flatten(1).clone().cpu())
        raise _Reached

    handle = generator.get_submodule(layer).register_forward_pre_hook(take)
    try:
        for some, of_class in zip(latents.split(_AT_ONCE), labels.split(_AT_ONCE), strict=True):
            with suppress(_Reached):
                generator(some.to(device), of_class.to(device))
    finally:
        handle.remove()
    return torch.cat(received)


def of_activations(activations: Tensor, latents: Tensor, labels: Tensor, count: int, seed: int) -> Principal:
    """Regresses principal components of activations to latent vectors (Härkönen et al. 2020, GANSpace, eq. 2).

    The mean of each class is subtracted first, so that components do not separate the classes.

    Args:
        activations: float32 [N, A]; centred in place.
        latents: their latent vectors, [N, Z].
        labels: the class of each, int64 [N].
        count: maximum number of directions.
        seed: of the randomised decomposition.
    """
    from sklearn.decomposition import PCA

    for label in labels.unique().tolist():
        members = labels == label
        activations[members] -= activations[members].mean(dim=0)
    count = min(count, *activations.shape)
    pca = PCA(count, svd_solver="randomized", iterated_power=2, random_state=seed % 2**32, copy=False)
    scores = pca.fit_transform(activations.numpy())
    regressed = torch.from_numpy(np.linalg.lstsq(scores, latents.numpy(), rcond=None)[0])
    lengths = regressed.norm(dim=1, keepdim=True).clamp(min=torch.finfo(regressed.dtype).tiny)
    return Principal(_oriented(regressed / lengths).float(), pca.explained_variance_ratio_.astype(np.float64))


def _oriented(directions: Tensor) -> Tensor:
    """Orients directions so that their largest components are positive: eigenvectors have no sign."""
    largest = directions.gather(1, directions.abs().argmax(dim=1, keepdim=True))
    return directions * torch.where(largest < 0, -1.0, 1.0)
