"""Schedules of learning rates, penalty weight, half-life of the moving average and Adam's betas."""

import logging
import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim import Optimizer

from fmcgan.app.checks import number
from fmcgan.app.errors import InvalidValueError
from fmcgan.schedule.base import Schedule

log = logging.getLogger(__name__)

_LARGEST_BETA = 0.999999  # Adam divides by 1 - beta

Choice = Schedule | Mapping[str, float | None] | None
"""Value of a key in the configuration; a mapping has values that an experiment sets without choosing a schedule."""


class Schedules:
    """Sets scheduled values before each step, by images seen; ``None`` leaves the configured value.

    The first four are factors: on the two learning rates, on the penalty, and on the half-life of `EMA` before its
    ramp-up. The last two are Adam's betas themselves, of generator and discriminator. There is no state, so a resumed
    run has bit-identical values.
    """

    def __init__(
        self,
        generator_lr: Choice = None,
        discriminator_lr: Choice = None,
        penalty_weight: Choice = None,
        ema_half_life: Choice = None,
        beta1: Choice = None,
        beta2: Choice = None,
    ) -> None:
        self.rates = _checked("generator_lr", generator_lr), _checked("discriminator_lr", discriminator_lr)
        self.penalty_weight = _checked("penalty_weight", penalty_weight)
        self.ema_half_life = _checked("ema_half_life", ema_half_life)
        self.betas = _checked("beta1", beta1, _LARGEST_BETA), _checked("beta2", beta2, _LARGEST_BETA)
        names = ("generator_lr", "discriminator_lr", "penalty_weight", "ema_half_life", "beta1", "beta2")
        every = zip(names, (*self.rates, self.penalty_weight, self.ema_half_life, *self.betas), strict=True)
        self._chosen = {name: schedule for name, schedule in every if schedule is not None}

    def set_total_images(self, images: int | None) -> None:
        """Sets the end of the schedules that last until the end of the run, in real images seen.

        Raises:
            InvalidValueError: a schedule needs an unknown end (``None``).
        """
        for name, schedule in self._chosen.items():
            try:
                schedule.set_total_images(images)
            except InvalidValueError as error:
                raise InvalidValueError(f"training.schedules.{name}.{error}") from error

    def check_optimizers(self, optimizers: list[Optimizer]) -> None:
        """Raises an `InvalidValueError` if betas are scheduled and an optimizer has none."""
        for optimizer in optimizers if any(beta is not None for beta in self.betas) else []:
            if "betas" not in optimizer.defaults:
                kind = type(optimizer).__name__
                raise InvalidValueError(f"schedules of betas need an optimizer with betas, such as Adam, got {kind}")

    def warn_unused(self, penalized: bool, averaged: bool) -> None:
        """Warns of schedules without effect: of a penalty if not `penalized`, of the half-life if not `averaged`."""
        unused = "training.schedules.%s changes nothing: the %s"
        if self.penalty_weight is not None and not penalized:
            log.warning(unused, "penalty_weight", "loss has no penalty")
        if self.ema_half_life is not None and not averaged:
            log.warning(unused, "ema_half_life", "average is a copy")

    def set_rates(self, optimizers: list[Optimizer], images_seen: int) -> None:
        """Sets the learning rates and betas of both optimizers, the generator's first.

        Changing learning rates are rounded to float32, as CUDA graphs read them, so that both kinds of step agree.
        """
        for schedule, optimizer in zip(self.rates, optimizers, strict=True):
            values: dict[str, object] = {}
            if schedule is not None:
                rate = optimizer.defaults["lr"] * schedule(images_seen)
                values["lr"] = torch.tensor(rate, dtype=torch.float32).item() if schedule.moves else rate
            if any(beta is not None for beta in self.betas):
                betas = zip(optimizer.defaults["betas"], self.betas, strict=True)
                values["betas"] = tuple(own if beta is None else beta(images_seen) for own, beta in betas)
            for group in optimizer.param_groups:
                group.update(values)

    def moving_rates(self, optimizers: list[Optimizer]) -> list[Optimizer]:
        """Returns the optimizers whose learning rate changes during training."""
        both = zip(self.rates, optimizers, strict=True)
        return [optimizer for schedule, optimizer in both if schedule is not None and schedule.moves]

    def penalty_factor(self, images_seen: int, device: torch.device) -> Tensor | None:
        """Returns the factor on the penalty, created on the device to avoid a copy; ``None`` means 1."""
        if self.penalty_weight is None:
            return None
        return torch.full((), self.penalty_weight(images_seen), device=device)

    def half_life_factor(self, images_seen: int) -> float:
        """Returns the factor on the half-life of the moving average."""
        return 1.0 if self.ema_half_life is None else self.ema_half_life(images_seen)


def _checked(name: str, schedule: Choice, largest: float = math.inf) -> Schedule | None:
    choose = f"schedule@training.schedules.{name}=cosine"
    if isinstance(schedule, Mapping):
        given = ", ".join(f"{key}={value}" for key, value in schedule.items())
        log.warning("%s has no schedule, so %s is not used; choose one, such as %s", name, given, choose)
        return None
    if schedule is None:
        return None
    if not callable(schedule):
        raise InvalidValueError(f"{name} must be a schedule, such as {choose}, got {schedule!r}")
    number(0, largest, **{f"{name}.start_value": schedule.start_value, f"{name}.end_value": schedule.end_value})
    if name.endswith("_lr") and schedule.start_value == schedule.end_value == 0:
        raise InvalidValueError(f"{name} must be above 0 at some time, got start_value=0 and end_value=0", name)
    return schedule
