"""What changes as training goes on: learning rates, the penalty's weight, the average's half-life, Adam's betas."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from fmcgan.app.checks import number
from fmcgan.app.errors import InvalidValueError

log = logging.getLogger(__name__)

_LARGEST_BETA = 0.999999  # Adam divides by 1 - beta


class Schedules:
    """Sets each scheduled value from the images seen before a step; ``None`` leaves it as it is configured.

    Nothing here has a state, and every value follows from the configured one: a resumed run goes on to the bit.

    Args:
        generator_lr: an `fmcgan.schedule.base.Schedule`: a factor on the generator's learning rate.
        discriminator_lr: the same for the discriminator.
        penalty_weight: a factor on the penalty.
        ema_half_life: a factor on the average's half-life (`EMA`), not on its ramp-up.
        beta1: Adam's first beta itself, of both players.
        beta2: Adam's second beta itself, of both players.
    """

    def __init__(
        self,
        generator_lr: Any = None,
        discriminator_lr: Any = None,
        penalty_weight: Any = None,
        ema_half_life: Any = None,
        beta1: Any = None,
        beta2: Any = None,
    ) -> None:
        self.rates = _checked("generator_lr", generator_lr), _checked("discriminator_lr", discriminator_lr)
        for name, rate in zip(("generator_lr", "discriminator_lr"), self.rates, strict=True):
            if rate is not None and rate.start_value == rate.end_value == 0:
                raise InvalidValueError(f"{name} must be above 0 at some time, or nothing is learnt", name)
        self.penalty_weight = _checked("penalty_weight", penalty_weight)
        self.ema_half_life = _checked("ema_half_life", ema_half_life)
        self.betas = _checked("beta1", beta1, _LARGEST_BETA), _checked("beta2", beta2, _LARGEST_BETA)

    def set_total_images(self, images: int | None) -> None:
        """Tells the schedules that last until the end of the run when that is.

        Args:
            images: real images seen at its end; ``None`` if nobody knows.

        Raises:
            InvalidValueError: a schedule needs to know and nobody does.
        """
        names = ("generator_lr", "discriminator_lr", "penalty_weight", "ema_half_life", "beta1", "beta2")
        all_schedules = (*self.rates, self.penalty_weight, self.ema_half_life, *self.betas)
        for name, schedule in zip(names, all_schedules, strict=True):
            try:
                if schedule is not None:
                    schedule.set_total_images(images)
            except InvalidValueError as error:
                raise InvalidValueError(f"training.schedules.{name}.{error}") from error

    def check_optimizers(self, optimizers: list[Optimizer]) -> None:
        """Refuses what could not be set.

        Raises:
            InvalidValueError: betas are scheduled and an optimizer has none.
        """
        for optimizer in optimizers if any(beta is not None for beta in self.betas) else []:
            if "betas" not in optimizer.defaults:
                kind = type(optimizer).__name__
                raise InvalidValueError(f"schedules of betas need an optimizer that has them, such as Adam, got {kind}")

    def tell_of_idle(self, penalized: bool, averaged: bool) -> None:
        """Warns of schedules of what is not there.

        Args:
            penalized: whether there is a penalty.
            averaged: whether the average is more than a copy.
        """
        there = {"penalty_weight": (penalized, "loss has no penalty"), "ema_half_life": (averaged, "average is a copy")}
        for name, (is_there, why) in there.items():
            if getattr(self, name) is not None and not is_there:
                log.warning("training.schedules.%s changes nothing: the %s", name, why)

    def set_rates(self, optimizers: list[Optimizer], images_seen: int) -> None:
        """Gives both optimizers, the generator's first, their learning rates and betas of this moment.

        A rate that moves is rounded to float32, which is how a GPU reads it: so a captured step and one
        that is not are the same.
        """
        for schedule, optimizer in zip(self.rates, optimizers, strict=True):
            values: dict[str, Any] = {}
            if schedule is not None:
                rate = optimizer.defaults["lr"] * schedule(images_seen)
                values["lr"] = torch.tensor(rate, dtype=torch.float32).item() if schedule.moves else rate
            if any(beta is not None for beta in self.betas):
                values["betas"] = self._betas(optimizer, images_seen)
            for group in optimizer.param_groups:
                group.update(values)

    def _betas(self, optimizer: Optimizer, images_seen: int) -> tuple[float, ...]:
        return tuple(
            own if schedule is None else schedule(images_seen)
            for own, schedule in zip(optimizer.defaults["betas"], self.betas, strict=True)
        )

    def moving_rates(self, optimizers: list[Optimizer]) -> list[Optimizer]:
        """Those of both optimizers whose learning rate changes as training goes on."""
        both = zip(self.rates, optimizers, strict=True)
        return [optimizer for schedule, optimizer in both if schedule is not None and schedule.moves]

    def penalty_factor(self, images_seen: int, device: torch.device) -> Tensor | None:
        """What the penalty is multiplied by: a scalar that is made on the device, which so waits for nothing."""
        if self.penalty_weight is None:
            return None
        return torch.full((), self.penalty_weight(images_seen), device=device)

    def half_life_factor(self, images_seen: int) -> float:
        """What the half-life of the average is multiplied by."""
        return 1.0 if self.ema_half_life is None else self.ema_half_life(images_seen)


def _checked(name: str, schedule: Any, largest: float = math.inf) -> Any:
    choose = f"schedule@training.schedules.{name}=cosine"
    if isinstance(schedule, Mapping):  # an experiment's values of a schedule that was taken back
        given = ", ".join(f"{key}={value}" for key, value in schedule.items())
        log.warning("no schedule of %s is chosen, so %s is not used; %s chooses one", name, given, choose)
        return None
    if schedule is None:
        return None
    if not callable(schedule):
        raise InvalidValueError(f"{name} must be a schedule, chosen with {choose}, got {schedule!r}")
    ends = {f"{name}.start_value": schedule.start_value, f"{name}.end_value": schedule.end_value}
    number(0, largest, **ends)
    return schedule
