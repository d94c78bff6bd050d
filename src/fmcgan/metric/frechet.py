"""The Fréchet distance between two sets of features, each read as a Gaussian."""

from typing import NamedTuple

import torch
from torch import Tensor


class Gaussian(NamedTuple):
    """A Gaussian from which many distances are taken: the square root of its covariance is found once."""

    mean: Tensor
    """float64 [F]."""

    root: Tensor
    """Some float64 S [F, R] with covariance ``S @ S.T``."""


def gaussian_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and unbiased covariance (divided by N - 1) of a set of features.

    Args:
        features: [N, F], N at least 2, any device and floating type.

    Returns:
        mean [F] and covariance [F, F], float64 on the CPU (MPS has no float64).

    Raises:
        ValueError: the shape is another one or N is less than 2.
    """
    mean, centred = _centred(features)
    return mean, centred.T @ centred / (len(centred) - 1)


def fitted_gaussian(features: Tensor) -> Gaussian:
    """The Gaussian with the mean and the unbiased covariance of a set of features.

    Args:
        features: [N, F], N at least 2, any device and floating type.

    Raises:
        ValueError: the shape is another one or N is less than 2.
    """
    mean, centred = _centred(features)
    n, width = centred.shape
    if n < width:  # the centred features are a narrower root of their covariance than the one of its eigenvectors
        return Gaussian(mean, centred.T / (n - 1) ** 0.5)
    return Gaussian(mean, _square_root(centred.T @ centred / (n - 1)))


def frechet_distance(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> float:
    """``|m_a - m_b|² + Tr(C_a + C_b - 2 (C_a C_b)^½)``, never negative and always finite, whatever the ranks.

    Heusel et al. 2017, eq. 6, for features; Dowson and Landau 1982 for Gaussians. ``C_a C_b`` has the eigenvalues of
    the symmetric ``C_a^½ C_b C_a^½``, whose solver is faster and cannot return complex numbers.

    Args:
        mean_a: [F].
        covariance_a: [F, F], symmetric and positive semidefinite up to rounding.
        mean_b: [F].
        covariance_b: [F, F].

    Returns:
        The distance, in squared units of the features.

    Example:
        >>> import torch
        >>> round(frechet_distance(torch.zeros(2), torch.eye(2), torch.ones(2), 4 * torch.eye(2)), 6)
        4.0
    """
    mean_a, covariance_a, mean_b, covariance_b = (
        each.detach().cpu().double() for each in (mean_a, covariance_a, mean_b, covariance_b)
    )
    root = _square_root(covariance_a)
    cross_term = _sum_of_roots(root.T @ covariance_b @ root)
    distance = (mean_a - mean_b).square().sum() + covariance_a.trace() + covariance_b.trace() - 2 * cross_term
    return max(0.0, distance.item())


def resampled_distances(features: Tensor, counts: Tensor, reference: Gaussian) -> Tensor:
    """`frechet_distance` of resamples of a set to one Gaussian: an eigenvalue problem each, and no square root.

    A resample counts a feature as often as it was drawn, in its mean and in its unbiased covariance. Counts of one
    give the distance of the set itself.

    Args:
        features: [N, F], N at least 2.
        counts: how often each was drawn, whole numbers [B, N] whose rows have a sum of at least 2.
        reference: the Gaussian at the other end.

    Returns:
        The distances, float64 [B], in squared units of the features.

    Raises:
        ValueError: the features have another shape or there are fewer than two.
    """
    mean, centred = _centred(features)  # centred once, so that the sums below lose no digits
    counts = counts.double()
    drawn = counts.sum(dim=1)  # [B]
    shifts = counts @ centred / drawn[:, None]  # of the means, [B, F]
    squares = counts @ centred.square().sum(dim=1) - drawn * shifts.square().sum(dim=1)
    traces = squares / (drawn - 1) + reference.root.square().sum()
    projected = centred @ reference.root  # with its covariance S.T C S, whose eigenvalues are those of C S S.T
    cross_terms = [_projected_cross_term(projected, each) for each in counts]
    distances = (mean + shifts - reference.mean).square().sum(dim=1) + traces - 2 * centred.new_tensor(cross_terms)
    return distances.clamp(min=0)


def _centred(features: Tensor) -> tuple[Tensor, Tensor]:
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features must be [N, F] with N of at least 2, got {list(features.shape)}")
    features = features.detach().cpu().double()
    mean = features.mean(dim=0)
    return mean, features - mean


def _square_root(covariance: Tensor) -> Tensor:
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance)
    return eigenvectors * eigenvalues.clamp(min=0).sqrt()


def _projected_cross_term(projected: Tensor, counts: Tensor) -> float:
    chosen = counts.nonzero().squeeze(1)  # a third of a resample is not drawn and costs nothing
    rows, counts = projected.index_select(0, chosen), counts[chosen]
    drawn = counts.sum()
    rows.sub_(counts @ rows / drawn).mul_(counts.sqrt()[:, None])
    product = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows  # the same eigenvalues beside zeros
    return _sum_of_roots(product / (drawn - 1)).item()


def _sum_of_roots(product: Tensor) -> Tensor:
    eigenvalues = torch.linalg.eigvalsh(product)
    return eigenvalues.clamp(min=0).sqrt().sum()  # a rank-deficient product has eigenvalues of about -1e-17
