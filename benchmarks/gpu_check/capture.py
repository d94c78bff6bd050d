"""Checks of the captured step: it can be captured, and does what the eager step does."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.gpu_check.check import Conditions, Failed, Numbers
from benchmarks.setting import Setting
from fmcgan.app.errors import UserError
from fmcgan.training.cuda_graphs import CapturedStep, Inputs
from fmcgan.training.gan import ConditionalGAN
from fmcgan.training.step import Metrics

PAIRS = {
    "default": (),
    "wgan_gp": ("loss=wgan_gp", "n_critic=5"),
    "hinge, spectral norm, auxiliary classifier": (
        *("loss=hinge", "spectral_norm=both", "conditioning/discriminator=auxiliary_classifier"),
    ),
    "least squares, ADA, LeCam": ("loss=least_squares", "augment=adaptive", "regularizer=lecam"),
    "DRAGAN, transposed convolutions": ("loss=dragan", "network.generator.upsampling=transposed"),
    "conv": ("network=conv", "loss=hinge"),
    "mlp": ("network=mlp", "loss=minimax"),
    "resnet, consistency, DiffAugment": ("network=resnet", "regularizer=consistency", "augment=diff_augment"),
    "r3, relativistic": ("network=r3", "network.width=32", "loss=relativistic"),
}
"""Nine sets of options that have, together, each network, kind of loss, penalty, regularizer and augmentation."""
_CYCLES = 6  # of steps: three to warm up, one to record, two to replay
_STEPS = 16  # compared between the eager and the captured step
_TOLERANCE = 1e-3  # relative difference of a loss: TF32, and sums in another order


def kernel(conditions: Conditions) -> Numbers:
    """Runs a convolution with its gradient on the device and compares it with the CPU."""
    draw = torch.Generator().manual_seed(0)
    images, weights = torch.randn(8, 3, 16, 16, generator=draw), torch.randn(5, 3, 3, 3, generator=draw)

    def gradient(device: torch.device | str) -> Tensor:
        on_device = weights.to(device).requires_grad_()
        torch.conv2d(images.to(device), on_device).square().sum().backward()
        assert on_device.grad is not None
        return on_device.grad.cpu()

    expected, found = gradient("cpu"), gradient(conditions.setting.device)
    difference = ((found - expected).abs().max() / expected.abs().max()).item()
    numbers: Numbers = {"largest difference": difference}
    if conditions.on_gpu:
        capability = torch.cuda.get_device_capability(conditions.setting.device)
        numbers |= {"capability": ".".join(map(str, capability)), "cudnn": torch.backends.cudnn.version()}
    if not difference < 1e-2:  # TF32
        raise Failed("a convolution differs from the CPU's", numbers)
    return numbers


def capture(conditions: Conditions) -> Numbers:
    """Captures the steps of `PAIRS` in fp32 and bf16; all must be replayed, with finite values."""
    numbers: Numbers = {}
    failed = []
    for name, overrides in PAIRS.items():
        for precision in conditions.setting.precisions:
            gan = conditions.with_overrides(*overrides).gan()
            loop = conditions.loop(gan, precision)
            loop.run((_CYCLES - 1) * gan.cycle)
            metrics = [loop.step() for _ in range(gan.cycle)]
            assert isinstance(loop.adversarial_step, CapturedStep)
            recorded, kinds = len(loop.adversarial_step.graphs), _kinds(gan)
            is_finite = all(bool(value.isfinite()) for each in metrics for value in each.values())
            numbers[f"{name}, {precision}"] = f"{recorded} of {kinds}{'' if is_finite else ', not finite'}"
            if recorded != kinds or not is_finite:
                failed.append(f"{name}, {precision}")
    if failed:
        raise Failed(f"not captured, or not finite: {'; '.join(failed)}", numbers)
    return numbers


def _kinds(gan: ConditionalGAN) -> int:
    """Returns the number of kinds of steps: with the penalty or without, with the generator or without."""
    return len({(n % gan.penalty.interval == 0, (n + 1) % gan.n_critic == 0) for n in range(gan.cycle)})


def same_as_eager(conditions: Conditions) -> Numbers:
    """Compares the losses of the captured step with those of the eager one, and two captured runs."""
    eager, first, second = (_losses(conditions, captured) for captured in (False, True, True))
    numbers: Numbers = {
        "steps": _STEPS,
        "largest relative difference from eager": _difference(first, eager),
        "of two captured runs": _difference(first, second),
        "captured runs equal to the bit": bool(torch.equal(first, second)),
    }
    if not max(_difference(first, eager), _difference(first, second)) < _TOLERANCE:
        raise Failed(f"losses differ by more than {_TOLERANCE:g}", numbers)
    return numbers


def _losses(conditions: Conditions, captured: bool) -> Tensor:
    setting = conditions.setting
    gan = setting.gan()
    plain = gan.adversarial_step(gan.configure_optimizers())
    step: Callable[..., Metrics] = CapturedStep(plain, conditions.recorder(plain)) if captured else plain
    losses = []
    for number in range(_STEPS):
        metrics = step(*_inputs(setting, gan, number), with_penalty=number % 2 == 0)
        losses.append(torch.stack([metrics["loss/generator"].float(), metrics["loss/discriminator"].float()]))
    return torch.stack(losses).detach().cpu()


def _inputs(setting: Setting, gan: ConditionalGAN, number: int) -> Inputs:
    """Returns real images, labels, latent vectors and epsilon of a step, and seeds the device for its dropout."""
    torch.manual_seed(number)
    n, draw = setting.batch_size, torch.Generator().manual_seed(number)
    real, labels = torch.rand(n, *setting.images.train_images.shape[1:], generator=draw) * 2 - 1, torch.arange(n) % 10
    latents, epsilon = torch.randn(n, gan.latent_dim, generator=draw), torch.rand(n, 1, 1, 1, generator=draw)
    return tuple(each.to(setting.device) for each in (real, labels, latents, epsilon))


def _difference(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).abs() / expected.abs().clamp(min=1e-3)).max().item()


def rate_zero(conditions: Conditions) -> Numbers:
    """Replays with learning rates of 0, which must change no weight, and then with those of before, which must."""
    gan = conditions.setting.gan()
    optimizers = gan.configure_optimizers()
    plain = gan.adversarial_step(optimizers)
    step = CapturedStep(plain, conditions.recorder(plain), moving_rates=optimizers)
    for number in range(6):
        step(*_inputs(conditions.setting, gan, number))
    rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    moved = []
    for factor in (0.0, 1.0):
        before = [each.detach().clone() for each in gan.parameters() if each.requires_grad]
        for optimizer, rate in zip(optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = factor * rate
        step(*_inputs(conditions.setting, gan, 7))
        after = [each for each in gan.parameters() if each.requires_grad]
        moved.append(max((old - new).abs().max().item() for old, new in zip(before, after, strict=True)))
    numbers: Numbers = {"graphs": len(step.graphs), "moved at rate 0": moved[0], "moved at the usual rate": moved[1]}
    if len(step.graphs) != 1 or moved[0] != 0 or moved[1] == 0:
        raise Failed("a replay does not follow the learning rate", numbers)
    return numbers


def failed_capture(conditions: Conditions) -> Numbers:
    """Makes a capture fail by waiting for the device in it: training goes on, or ends with one line."""
    gan, capturing = conditions.setting.gan(), [False]

    def backward(loss: Tensor) -> None:
        if capturing[0]:
            _wait(loss)
        loss.backward()

    plain = gan.adversarial_step(gan.configure_optimizers(), backward)
    record = conditions.recorder(plain)

    def watched(body: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        capturing[0] = True
        try:
            return record(body)
        finally:
            capturing[0] = False

    step, lines = CapturedStep(plain, watched), _Lines()
    logger = logging.getLogger("fmcgan")
    logger.addHandler(lines)
    try:
        metrics = [step(*_inputs(conditions.setting, gan, number)) for number in range(8)][-1]
    except UserError as error:
        return {"outcome": "ends", "message": str(error)}
    finally:
        logger.removeHandler(lines)
    numbers: Numbers = {"outcome": "goes on", "warnings": lines.messages, "graphs": len(step.graphs)}
    is_finite = all(bool(value.isfinite()) for value in metrics.values())
    if step.graphs or len(lines.messages) != 1 or not is_finite:
        raise Failed("no failed capture with one warning, or values that are not finite", numbers)
    return numbers


def _wait(loss: Tensor) -> None:
    """Waits for the device, which CUDA refuses within a capture."""
    if loss.is_cuda:
        loss.item()
    raise RuntimeError("operation not permitted when stream is capturing")


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
