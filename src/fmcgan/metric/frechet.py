"""The Fréchet distance between two sets of features, each read as a Gaussian."""

import torch
from torch import Tensor


def gaussian_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and unbiased covariance (divided by N - 1) of a set of features.

    Args:
        features: [N, F], N at least 2, any device and floating type.

    Returns:
        mean [F] and covariance [F, F], float64 on the CPU (MPS has no float64).

    Raises:
        ValueError: the shape is another one or N is less than 2.
    """
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features must be [N, F] with N of at least 2, got {list(features.shape)}")
    features = features.detach().cpu().double()
    mean = features.mean(dim=0)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)


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
    """
    mean_a, covariance_a, mean_b, covariance_b = (
        each.detach().cpu().double() for each in (mean_a, covariance_a, mean_b, covariance_b)
    )
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance_a)
    root = eigenvectors * eigenvalues.clamp(min=0).sqrt()  # C_a = root @ root.T
    product = torch.linalg.eigvalsh(root.T @ covariance_b @ root)
    cross_term = product.clamp(min=0).sqrt().sum()  # a rank-deficient product has eigenvalues of about -1e-17
    distance = (mean_a - mean_b).square().sum() + covariance_a.trace() + covariance_b.trace() - 2 * cross_term
    return max(0.0, distance.item())
