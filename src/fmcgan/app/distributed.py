"""Numbers of the whole batch where it is split over several devices. Any room may import this."""

import torch.distributed as dist
from torch import Tensor


def device_count() -> int:
    """Processes that share a batch."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def mean_over_devices(value: Tensor) -> Tensor:
    """The mean of the same tensor on each device, without a gradient; in one process the tensor itself."""
    if device_count() == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / device_count()
