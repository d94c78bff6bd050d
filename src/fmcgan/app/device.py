"""What a device can do: whether it works at all, which memory format it computes rightly, and full float32."""

from typing import TYPE_CHECKING

from fmcgan.app.errors import UserError

if TYPE_CHECKING:
    from contextlib import _GeneratorContextManager

    import torch


def check_device(device: object, given: str | None = None, remedy: str = "use cpu, cuda or mps") -> None:
    """Raises `UserError` unless a device is available and runs a kernel.

    A GPU can be present and yet not work: torch has no kernels for old cards, and needs a recent driver.

    Args:
        device: such as ``cpu``, ``cuda:1`` or ``mps``.
        given: what the user set, for the message; ``None``: ``device=...``.
        remedy: what to do instead, for the message.
    """
    import torch  # here: commands start without torch

    if not isinstance(device, str | torch.device):
        raise UserError(f"device must be cpu, cuda (cuda:1 is the second GPU) or mps, got {device!r}")
    try:
        torch.ones(1, device=device).item()  # "meta" is a device too, but has no values
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{given or f'device={device}'} is not available ({reason}); {remedy}") from error


def torch_release() -> tuple[int, int]:
    """Returns major and minor version of torch. A pre-release counts as its release, unlike in comparisons of text."""
    import torch

    major, minor = torch.__version__.split(".")[:2]
    return int(major), int(minor)


def memory_format(device: "torch.device | str") -> "torch.memory_format":
    """Returns the memory format for maps on a device: channels-last, which is the faster one, where it is right.

    Before torch 2.14 batch normalisation on Apple's MPS has wrong gradients for channels-last maps (pytorch issue
    175189).
    """
    import torch

    is_wrong = torch.device(device).type == "mps" and torch_release() < (2, 14)
    return torch.contiguous_format if is_wrong else torch.channels_last


def full_float32(deterministic: bool = False) -> "_GeneratorContextManager[None]":
    """Computes float32 convolutions on a GPU in float32 instead of TF32, whose products have 10 bits.

    A context manager and a decorator. Outside the training step, matrix products are never computed in TF32, which is
    torch's default.
    """
    import torch

    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=deterministic, allow_tf32=False)
