import pytest
import torch

from fmcgan.augment.adaptive import Adaptive
from fmcgan.augment.brightness import Brightness
from fmcgan.augment.cutout import Cutout
from fmcgan.augment.diff_augment import DiffAugment
from fmcgan.augment.translation import Translation
from fmcgan.conditioning.discriminator.auxiliary_classifier import AuxiliaryClassifier
from fmcgan.conditioning.discriminator.label_map import LabelMap
from fmcgan.conditioning.discriminator.projection import Projection
from fmcgan.conditioning.generator.concatenation import Concatenation
from fmcgan.conditioning.generator.shared_embedding import SharedEmbedding
from fmcgan.loss.non_saturating import NonSaturating
from fmcgan.loss.relativistic import Relativistic
from fmcgan.network import conv, dcgan, mlp, r3, resnet
from fmcgan.penalty.dragan import PerturbedGradientPenalty
from fmcgan.penalty.zero_centered import ZeroCenteredGradientPenalty
from fmcgan.regularizer.consistency import Consistency
from fmcgan.regularizer.lecam import LeCam
from fmcgan.training.step import AdversarialStep

NETWORKS = {
    "dcgan": (dcgan, {"width": 4}),
    "conv": (conv, {"width": 4}),
    "mlp": (mlp, {"width": 16}),
    "resnet": (resnet, {"width": 4, "attention": True}),
    "r3": (r3, {"width": 4, "group_size": 4}),
}


@pytest.fixture
def make_step():
    """Builds a small step, the same one each time, without Lightning."""

    def make_step(
        network="dcgan", *, loss=None, penalty=None, clip=None, judged_by=None, spectral_norm=False, **parts
    ) -> AdversarialStep:
        torch.manual_seed(0)
        module, size = NETWORKS[network]
        size = size | {"spectral_norm": spectral_norm}
        if network in ("conv", "mlp"):
            players = module.Generator(latent_dim=8, **size), module.Discriminator(**size)
        else:
            way = Concatenation if network == "r3" else SharedEmbedding
            players = (
                module.Generator(way(latent_dim=8, embedding_dim=3), **size),
                module.Discriminator(judged_by or Projection(), **size),
            )
        optimizers = [torch.optim.Adam(player.parameters(), 1e-3, (0.5, 0.999), fused=True) for player in players]
        penalty = penalty or ZeroCenteredGradientPenalty(interval=2)
        return AdversarialStep(*players, loss or NonSaturating(), penalty, *optimizers, clip, clip, **parts)

    return make_step


def zoo_of(network):
    """Three steps that have together one of each kind of ingredient, with fresh parts that remember nothing."""
    if network == "dcgan":
        # p moves by 0.04: up where at least three of eight real images are called real.
        return {
            "spectral_norm": True,
            "penalty": PerturbedGradientPenalty(interval=2),
            "judged_by": AuxiliaryClassifier(),
            "augmentation": Adaptive(Translation(), target=-0.3, kimg=0.2),
            "regularizer": LeCam(start=14),
        }
    if network == "resnet":
        policies = {"brightness": Brightness(), "translation": Translation(), "cutout": Cutout()}
        return {
            "spectral_norm": True,
            "loss": Relativistic(),
            "penalty": ZeroCenteredGradientPenalty(interval=2, images="both"),
            "augmentation": DiffAugment(policies),
            "regularizer": Consistency(Translation(), images="both"),
        }
    return {"judged_by": LabelMap(embedding_dim=3), "loss": Relativistic(), "regularizer": LeCam(start=14)}


@pytest.fixture
def make_zoo(make_step):
    """Builds the step of `zoo_of`, the same one each time."""

    def make_zoo(network) -> AdversarialStep:
        torch.manual_seed(0)  # a label map has weights of its own
        return make_step(network, **zoo_of(network))

    return make_zoo


@pytest.fixture
def make_inputs():
    """Real images, labels, latents and epsilon of one step."""

    def make_inputs(seed=0, n=8):
        draw = torch.Generator().manual_seed(seed)
        real = torch.rand(n, 1, 28, 28, generator=draw) * 2 - 1
        return real, torch.arange(n) % 10, torch.randn(n, 8, generator=draw), torch.rand(n, 1, 1, 1, generator=draw)

    return make_inputs
