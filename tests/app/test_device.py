import pytest
import torch

from fmcgan.app import device
from fmcgan.app.device import check_device, full_float32, memory_format, torch_release
from fmcgan.app.errors import UserError
from fmcgan.layer import batch_norm
from fmcgan.layer.batch_norm import BatchNorm2d


@pytest.mark.parametrize(
    ("version", "release"),
    [("2.9.0", (2, 9)), ("2.14.1+cu130", (2, 14)), ("2.15.0a0+git123", (2, 15)), ("2.16.0.dev20270101", (2, 16))],
)
def test_a_pre_release_counts_as_its_release(monkeypatch, version, release):
    monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion(version))
    assert torch_release() == release


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("CUDA error: no kernel image is available for execution on the device\nCUDA kernel errors", "no kernel image"),
        ("The NVIDIA driver on your system is too old (found version 12020).", "driver on your system is too old"),
    ],
)
def test_a_device_on_which_no_kernel_runs_is_one_clear_error(monkeypatch, message, reason):
    def fail(*arguments, **options):
        raise RuntimeError(message)

    monkeypatch.setattr(torch, "ones", fail)
    with pytest.raises(UserError, match=rf"^the GPU is not available \(.*{reason}.*\); use trainer=cpu$"):
        check_device("cuda", "the GPU", "use trainer=cpu")


@pytest.mark.parametrize(
    ("kind", "release", "expected"),
    [
        ("cpu", (2, 9), torch.channels_last),
        ("cuda", (2, 9), torch.channels_last),
        ("mps", (2, 13), torch.contiguous_format),
        ("mps", (2, 14), torch.channels_last),
    ],
)
def test_memory_format(monkeypatch, kind, release, expected):
    monkeypatch.setattr(device, "torch_release", lambda: release)
    assert memory_format(torch.device(kind)) == expected


@pytest.mark.parametrize("is_wrong", [False, True])
@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_batch_normalisation_gets_maps_whose_gradient_is_right(monkeypatch, kind, is_wrong):
    given = []
    monkeypatch.setattr(torch.nn.BatchNorm2d, "forward", lambda self, input: given.append(input) or input)
    monkeypatch.setattr(batch_norm, "_MPS_NEEDS_CONTIGUOUS", is_wrong)
    monkeypatch.setattr(torch.Tensor, "device", property(lambda self: torch.device(kind)))
    BatchNorm2d(3)(torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last))
    expected = torch.contiguous_format if is_wrong and kind == "mps" else torch.channels_last
    assert given[0].is_contiguous(memory_format=expected)


def test_tf32_is_off_within_full_float32_only():
    before = torch.backends.cudnn.allow_tf32
    with full_float32(deterministic=True):
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.deterministic
    assert torch.backends.cudnn.allow_tf32 == before
    assert not torch.backends.cudnn.deterministic
