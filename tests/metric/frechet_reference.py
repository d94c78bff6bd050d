"""Fréchet distances of Gaussians given by their moments, for comparison with other programs."""

import torch
from torch import Tensor

from fmcgan.metric.frechet import fitted_gaussian, resampled_distances


def gaussian_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and unbiased covariance, float64."""
    features = features.detach().cpu().double()
    return features.mean(dim=0), torch.cov(features.T).reshape(features.shape[1], features.shape[1])


def frechet_distance(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> float:
    """The distance of two sets of points that have exactly these moments."""
    points = with_moments(mean_a, covariance_a)
    reference = fitted_gaussian(with_moments(mean_b, covariance_b))
    return resampled_distances(points, torch.ones(1, len(points)), reference).item()


def with_moments(mean: Tensor, covariance: Tensor) -> Tensor:
    """2 F points around the mean, along the axes of the covariance."""
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance.double())
    root = eigenvectors * eigenvalues.clamp(min=0).sqrt() * (len(mean) - 0.5) ** 0.5
    return torch.cat([mean.double() + root.T, mean.double() - root.T])
