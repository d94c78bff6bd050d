"""A second device beside the CPU, on any machine: torch's meta device, with the rules of a GPU."""

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
COPIES = (aten._to_copy.default, aten.copy_.default)


class SecondDevice(TorchDispatchMode):
    """Refuses what a GPU refuses: an operation on tensors of both devices. Scalars may meet, and copies go across.

    Like Apple's MPS it has no float64. The meta device has no values: those that come back to the CPU are drawn.

    Attributes:
        operations: number of operations on the second device.
        waits: number of single values that were read from it, for which a GPU would be waited for.
        networks_on_cpu: float32 convolutions of the CPU, which should have run there; metrics compute in float64.
    """

    def __init__(self):
        super().__init__()
        self.operations = self.waits = 0
        self.networks_on_cpu = []
        self._random = torch.Generator().manual_seed(0)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        if func in COPIES and {each.device.type for each in tensors} & {"meta"}:
            target = args[0].device if func is COPIES[1] else kwargs.get("device") or args[0].device
            if target.type == "cpu":
                return self._copy_back(func, args, kwargs)
        elif func is aten._local_scalar_dense.default and args[0].is_meta:
            self.waits += 1
            return 1.0 if args[0].is_floating_point() else 1
        elif len({each.device.type for each in tensors if each.dim()}) > 1:
            raise RuntimeError(f"{func} got tensors on two devices: {[(each.device, each.shape) for each in tensors]}")
        result = func(*args, **kwargs)
        found = [each for each in tree_leaves(result) if isinstance(each, Tensor)]
        if any(each.is_meta for each in found):
            self.operations += 1
            if any(each.is_meta and each.dtype == torch.float64 and each.numel() for each in found):
                raise TypeError(f"{func} of {args} computes float64 on the device, which MPS has not")
        elif func is aten.convolution.default and args[0].dtype == torch.float32:
            self.networks_on_cpu.append(args[0].shape)
        return result

    def _copy_back(self, func, args, kwargs):
        source = args[1] if func is COPIES[1] else args[0]
        dtype = kwargs.get("dtype") or (args[0] if func is COPIES[1] else source).dtype
        if dtype.is_floating_point:
            values = torch.rand(source.shape, generator=self._random).to(dtype)
        else:
            highest = 256 if dtype == torch.uint8 else 2
            values = torch.randint(highest, source.shape, generator=self._random).to(dtype)
        return args[0].copy_(values) if func is COPIES[1] else values
