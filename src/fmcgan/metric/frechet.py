"""Fréchet distances of samples to real images, over all images and within classes."""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from fmcgan.app.errors import InvalidValueError
from fmcgan.metric.base import FeatureDistance
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages, class_names, interval
from fmcgan.metric.value import MetricValue, Quantity

MOST_RESAMPLED_FEATURES = 512  # with an interval: a hundred eigenvalue problems of size 2048 take minutes


class FrechetDistance(FeatureDistance):
    """``fd_{network}_{n}_{split}``: Fréchet distance of the samples to the reference images, on each network.

    Heusel et al. 2017, "GANs trained by a two time-scale update rule", eq. 6; on Inception features it is the FID. In
    squared units of the features, at least 0. It falls with the number of samples (Bińkowski et al. 2018): values of
    different n, networks or splits are not comparable. It ignores labels.

    The bootstrap interval covers the samples, with the reference fixed. It is up to 1.6 times too wide where samples
    and reference hardly differ. Networks of more than 512 features have no interval.
    """

    kinds: ClassVar = {
        "fd": Quantity(
            "Fréchet distance",
            "lower",
            lowest=0,
            summary="Distance between the features of samples and real images; lower is better.",
            plain="Distance from real images",
        ),
        "fid": Quantity(
            "FID",
            "lower",
            lowest=0,
            summary="Distance of Inception features; lower is better.",
            plain="Distance from real images (Inception)",
        ),
    }
    abbreviation = "frechet"
    distance = "frechet distance"

    def settle(self) -> None:
        """Sets names, protocol and the number of samples needed."""
        super().settle()
        # With fewer samples than features plus 1, the covariance is rank-deficient.
        self.min_samples = 1 + max((network.num_features for network in self.networks), default=1)

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures the distance on each network."""
        return {
            name: self._distance(network, samples, real.reference)
            for name, network in zip(self.names, self.networks, strict=True)
        }

    def _distance(self, network: FeatureNetwork, samples: ImageSet, reference: ImageSet) -> MetricValue:
        return _with_interval(_distances(network, samples, reference))


class ClassFrechetDistance(FrechetDistance):
    """``class_fd_{network}_{n}_{split}``: mean over the classes of the Fréchet distance within each class.

    The intra-class FID of Miyato and Koyama 2018, "cGANs with projection discriminator". Unlike `FrechetDistance` it
    detects wrong labels and classes whose images are all alike. ``by_class`` holds the distance of each class, ``None``
    for a class of fewer than two reference images. A class of fewer than two samples is an `InvalidValueError`: a mean
    over the other classes would reward it.

    Its small-sample bias is larger than that of `FrechetDistance`, as a class has few of the samples. If a network has
    more features than a class has images, the covariances are rank-deficient: compare values of equal n only. The
    interval is that of the mean; networks of more than 512 features have none.
    """

    kinds: ClassVar = {
        "class_fd": Quantity("Fréchet distance within classes", "lower", lowest=0),
        "class_fid": Quantity("FID within classes", "lower", lowest=0),
    }
    prefix = "class_"
    distance = "frechet distance by class"

    def settle(self) -> None:
        """Sets names, protocol and the number of samples needed, that of `FrechetDistance` for each class."""
        super().settle()
        self.min_samples *= self.info.num_classes

    def _distance(self, network: FeatureNetwork, samples: ImageSet, reference: ImageSet) -> MetricValue:
        info = reference.info
        classes = [label for label in info.labels if len(reference.of_class(label)) >= 2]
        if not classes:
            raise InvalidValueError("distances within classes need a class of at least 2 reference images")
        if missing := [label for label in classes if len(samples.of_class(label)) < 2]:
            named = class_names(info, missing)
            raise InvalidValueError(
                f"distances within classes need at least 2 samples of each class, got fewer of {named}"
            )
        distances = {label: _distances(network, samples, reference, label) for label in classes}
        by_class = tuple(distances[label][0].item() if label in distances else None for label in info.labels)
        return _with_interval(torch.stack(list(distances.values())).mean(dim=0))._replace(by_class=by_class)


def _distances(network: FeatureNetwork, samples: ImageSet, reference: ImageSet, label: int | None = None) -> Tensor:
    """Computes [1 + B] distances, of the samples or those of a class, and of their resamples."""
    chosen = slice(None) if label is None else samples.of_class(label)
    features = network.features(samples)[chosen]
    counts = torch.ones(1, len(features))
    if network.num_features <= MOST_RESAMPLED_FEATURES:
        counts = torch.cat([counts, samples.resamples[:, chosen]])
    return resampled_distances(features, counts, reference_gaussian(network, reference, label))


def _with_interval(distances: Tensor) -> MetricValue:
    value = distances[0].item()
    return MetricValue(value, interval(value, distances[1:], lowest=0))


class Gaussian(NamedTuple):
    """A Gaussian: its mean, float64 [F], and a root S of its covariance ``S @ S.T``, float64 [F, R]."""

    mean: Tensor
    root: Tensor


def reference_gaussian(network: FeatureNetwork, reference: ImageSet, label: int | None = None) -> Gaussian:
    """Fits a Gaussian to the features of a set, or of one of its classes, once per set; needs at least two images."""

    def fit() -> dict[str, Tensor]:
        features = network.features(reference)
        return fitted_gaussian(features if label is None else features[reference.of_class(label)])._asdict()

    of_class = "" if label is None else f" in class {label}"
    return Gaussian(**reference.derived(f"gaussian of {network.name_and_version}{of_class}", fit))


def fitted_gaussian(features: Tensor) -> Gaussian:
    """Fits a Gaussian with the mean and the unbiased covariance (divided by N - 1) of features [N, F].

    Raises `ValueError` for other shapes, and if N is less than 2, as `resampled_distances` does.
    """
    mean, centred = _centred(features)
    n, width = centred.shape
    if n < width:  # this root has fewer columns than that from the eigenvectors
        return Gaussian(mean, centred.T / (n - 1) ** 0.5)
    eigenvalues, eigenvectors = torch.linalg.eigh(centred.T @ centred / (n - 1))
    return Gaussian(mean, eigenvectors * eigenvalues.clamp(min=0).sqrt())


def resampled_distances(features: Tensor, counts: Tensor, reference: Gaussian) -> Tensor:
    """Computes the Fréchet distance of resamples of a set to a Gaussian: float64 [B], in squared units of the features.

    ``|m_a - m_b|² + Tr(C_a + C_b - 2 (C_a C_b)^½)`` (Heusel et al. 2017, eq. 6; Dowson and Landau 1982), clamped at 0.
    ``C_a C_b`` has the eigenvalues of the symmetric ``S.T C_a S`` with ``C_b = S S.T``, whose solver is faster and
    never returns complex numbers. Each resample costs one eigenvalue problem and no matrix square root.

    Args:
        features: [N, F], N at least 2.
        counts: how often each resample contains each feature, whole numbers [B, N] with row sums of at least 2; counts
            of 1 give the distance of the set itself.
        reference: the Gaussian to compare with.
    """
    mean, centred = _centred(features)  # centred once, so that the sums below lose no digits
    counts = counts.double()
    drawn = counts.sum(dim=1)  # [B]
    shifts = counts @ centred / drawn[:, None]  # of the means, [B, F]
    squares = counts @ centred.square().sum(dim=1) - drawn * shifts.square().sum(dim=1)
    traces = squares / (drawn - 1) + reference.root.square().sum()
    projected = centred @ reference.root
    cross_terms = [_cross_term(projected, each) for each in counts]
    distances = (mean + shifts - reference.mean).square().sum(dim=1) + traces - 2 * centred.new_tensor(cross_terms)
    return distances.clamp(min=0)


def _centred(features: Tensor) -> tuple[Tensor, Tensor]:
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features must be [N, F] with N of at least 2, got {list(features.shape)}")
    features = features.detach().cpu().double()
    mean = features.mean(dim=0)
    return mean, features - mean


def _cross_term(projected: Tensor, counts: Tensor) -> float:
    """Computes ``Tr (C_a C_b)^½`` of one resample from the projected features, [N, R]."""
    chosen = counts.nonzero().squeeze(1)  # a third of the set is not drawn and costs nothing
    rows, counts = projected.index_select(0, chosen), counts[chosen]
    drawn = counts.sum()
    rows.sub_(counts @ rows / drawn).mul_(counts.sqrt()[:, None])
    product = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows  # equal eigenvalues, apart from zeros
    eigenvalues = torch.linalg.eigvalsh(product / (drawn - 1))
    return eigenvalues.clamp(min=0).sqrt().sum().item()  # a rank-deficient product has eigenvalues of about -1e-17
