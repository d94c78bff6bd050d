"""Searches the smallest latent change that flips a verdict: by gradient, or by CMA-ES where there is none."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from fmcgan.app.device import full_float32
from fmcgan.app.extras import require_extra
from fmcgan.probing.classifier import Classifier
from fmcgan.training.sampling import render

_FIRST_STEP, _LAST_STEP = 0.5, 0.01  # lengths of the steps by gradient, falling along a cosine
_FIRST_SHRINK, _LAST_SHRINK = 0.05, 0.001  # by which the bound on the length changes, likewise
_BEYOND = 1.02  # of the length at which a linear margin would be 0
_SIGMA = 0.2  # first standard deviation of CMA-ES, in those of the latent vector
_SCALES = torch.linspace(0.4, 1.2, 33)  # at which a found change is tried again, on images of whole grey levels
_UNFLIPPED = 1e3  # longer than any change: of two changes that do not flip the verdict, the smaller margin is better


def population(latent_dim: int) -> int:
    """Returns the population of CMA-ES, Hansen's default."""
    return 4 + int(3 * math.log(latent_dim))


def readings(images: int, latent_dim: int, steps: int | None, generations: int) -> int:
    """Returns the number of images that `smallest_changes` reads."""
    by_search = generations * population(latent_dim) if steps is None else steps
    return images * (by_search + len(_SCALES))


def smallest_changes(
    generator: nn.Module,
    classifier: Classifier,
    latents: Tensor,
    labels: Tensor,
    steps: int | None,
    generations: int,
    seed: int,
) -> Tensor:
    """Returns the shortest change found of each latent vector that flips the verdict, float32 [N, Z]; nan if none.

    The verdict is flipped if it is not the label any more, on the image of whole grey levels.

    Args:
        generator: in evaluation mode.
        classifier: whose verdict for all N images is their label.
        latents: float32 [N, Z].
        labels: int64 [N].
        steps: of the search by gradient; ``None``: by CMA-ES.
        generations: of CMA-ES.
        seed: of CMA-ES.
    """
    if steps is None:
        found = _by_evolution(generator, classifier, latents, labels, generations, seed)
    else:
        found = _by_gradient(generator, classifier, latents, labels, steps)
    return _shortened(generator, classifier, latents, labels, found)


def _margins(classifier: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    """Returns by how much the log-probability of the label exceeds the next one, [N]; negative if flipped."""
    logs = classifier.log_probabilities(images)
    own = logs.gather(1, labels[:, None])
    others = logs.scatter(1, labels[:, None], -torch.inf)
    return own[:, 0] - others.amax(dim=1)


@full_float32()
def _by_gradient(generator: nn.Module, classifier: Classifier, latents: Tensor, labels: Tensor, steps: int) -> Tensor:
    """Searches by the fast minimum-norm attack (Pintor et al. 2021, algorithm 1, Euclidean norm).

    Each step descends the margin by a given length; the change is then projected into a ball that shrinks while the
    verdict is flipped and grows while it is not.
    """
    device = next(generator.parameters()).device
    latents, labels = latents.to(device), labels.to(device)
    change, best = torch.zeros_like(latents), torch.full_like(latents, torch.nan)
    bound = torch.full((len(latents),), torch.inf, device=device)
    shortest = bound.clone()
    for step in range(steps):
        falling = (1 + math.cos(math.pi * step / steps)) / 2
        length = _LAST_STEP + (_FIRST_STEP - _LAST_STEP) * falling
        shrink = _LAST_SHRINK + (_FIRST_SHRINK - _LAST_SHRINK) * falling
        change.requires_grad_()
        margin = _margins(classifier, generator(latents + change, labels), labels)
        (slope,) = torch.autograd.grad(margin.sum(), change)
        change, norm, steepness = change.detach(), change.detach().norm(dim=1), slope.norm(dim=1).clamp(min=1e-12)
        flipped = margin < 0
        better = flipped & (norm < shortest)
        best[better], shortest[better] = change[better], norm[better]
        reach = _BEYOND * (norm + margin.detach() / steepness)
        unseen = shortest.isinf()
        grown = torch.where(unseen, reach, bound * (1 + shrink))
        bound = torch.where(flipped, torch.minimum(bound, norm) * (1 - shrink), grown)
        change = change - length * slope / steepness[:, None]
        change = change * (bound / change.norm(dim=1).clamp(min=1e-12)).clamp(max=1)[:, None]
    return best.cpu()


@torch.no_grad()
@full_float32()
def _by_evolution(
    generator: nn.Module, classifier: Classifier, latents: Tensor, labels: Tensor, generations: int, seed: int
) -> Tensor:
    """Searches by CMA-ES with a diagonal covariance (Ros and Hansen 2008), all vectors side by side.

    A flipped verdict is as good as its change is short; before, the smaller margin is better.
    """
    require_extra("probe", "the search of a classifier without a gradient", "cma")
    import cma

    device, size = next(generator.parameters()).device, latents.shape[1]
    best, shortest = torch.full_like(latents, torch.nan), torch.full((len(latents),), torch.inf)
    options = {
        "CMA_diagonal": True,
        "popsize": population(size),
        "verbose": -9,
        "tolfun": 0,
        "tolfunhist": 0,
        "tolx": 0,
    }
    searches = [
        cma.CMAEvolutionStrategy(np.zeros(size), _SIGMA, options | {"seed": 1 + (seed + at) % (2**31)})
        for at in range(len(latents))
    ]
    for _ in range(generations):
        asked = [np.asarray(each.ask()) for each in searches]
        changes = torch.from_numpy(np.stack(asked)).float()  # [N, P, Z]
        wide = labels.repeat_interleave(changes.shape[1])
        moved = (latents[:, None] + changes).flatten(0, 1)
        parts = zip(moved.split(250), wide.split(250), strict=True)
        margins = [_margins(classifier, generator(z.to(device), y.to(device)), y.to(device)).cpu() for z, y in parts]
        margin, norms = torch.cat(margins).view(changes.shape[:2]), changes.norm(dim=2)
        flipped = margin < 0
        cost = torch.where(flipped, norms, _UNFLIPPED + margin)
        for at, search in enumerate(searches):
            search.tell(list(asked[at]), cost[at].tolist())
        lowest, index = torch.where(flipped, norms, torch.inf).min(dim=1)
        better = lowest < shortest
        best[better], shortest[better] = changes[better, index[better]], lowest[better]
    return best


def _shortened(
    generator: nn.Module, classifier: Classifier, latents: Tensor, labels: Tensor, changes: Tensor
) -> Tensor:
    """Scales each change to the shortest that flips the verdict on the image of whole grey levels; nan without one."""
    found = torch.full_like(changes, torch.nan)
    for scale in _SCALES.flip(0).tolist():  # the longest first: shorter ones overwrite it
        scaled = scale * changes.nan_to_num()
        verdicts = classifier.verdicts(render(generator, latents + scaled, labels))
        flipped = (verdicts != labels) & changes.isfinite().all(dim=1)
        found[flipped] = scaled[flipped]
    return found
