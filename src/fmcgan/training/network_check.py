"""Check of networks before training: do they fit the images and classes of the data set?"""

import torch
from torch import Tensor, nn

from fmcgan.app.errors import InvalidValueError
from fmcgan.app.memory import format_allocation_error
from fmcgan.data.info import DatasetInfo
from fmcgan.network.base import Discriminator, Generator
from fmcgan.training.latent import latent_dim_of

_MAX_REASON = 200  # characters of a network's own error


def check_networks(
    generator: Generator, discriminator: Discriminator, info: DatasetInfo, device: torch.device | str = "cpu"
) -> None:
    """Checks that networks have the classes of a data set, and process two of its images, in evaluation mode.

    Networks may be on the meta device. Others are moved to ``device``.

    Raises:
        InvalidValueError: names the network and what does not fit.
    """
    latents, images = torch.zeros(2, latent_dim_of(generator)), torch.zeros(2, *info.shape)
    generated = _output("generator", generator, latents, info, device)
    if generated.shape != images.shape:
        raise InvalidValueError(
            f"network.generator makes images of shape {_text(generated)}, but those of data set {info.name} are "
            f"{_text(images)}; its yaml can say image_size: ${{dataset.size}} and channels: ${{dataset.channels}}"
        )
    _output("discriminator", discriminator, images, info, device)


@torch.no_grad()
def _output(name: str, network: nn.Module, input: Tensor, info: DatasetInfo, device: torch.device | str) -> Tensor:
    if (classes := getattr(network, "num_classes", info.num_classes)) != info.num_classes:
        raise InvalidValueError(
            f"network.{name} has {classes} classes, but data set {info.name} has {info.num_classes}; "
            "its yaml can say num_classes: ${dataset.num_classes}"
        )
    if not any(each.is_meta for each in network.parameters()):
        network.to(device)
    where, was_training = next(network.parameters(), input).device, network.training
    try:
        with where:
            labels = torch.full((len(input),), info.num_classes - 1)
            return network.eval()(input.to(where), labels)
    except Exception as error:  # a user's own network may raise any
        if format_allocation_error(error) is not None:
            raise
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:_MAX_REASON]
        raise InvalidValueError(
            f"network.{name} cannot process inputs {_text(input)} with labels of data set {info.name}, "
            f"whose images are {_text(torch.empty(1, *info.shape, device='meta'))} ({reason})"
        ) from error
    finally:
        network.train(was_training)


def _text(images: Tensor) -> str:
    return f"[N, {', '.join(map(str, images.shape[1:]))}]"
