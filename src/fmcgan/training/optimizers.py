"""Optimizers, tried before anything is trained."""

from collections.abc import Callable

import torch
from torch import nn
from torch.optim import Optimizer

from fmcgan.app.checks import positive_number
from fmcgan.app.errors import InvalidValueError


def validate_optimizer(name: str, make: Callable[..., Optimizer]) -> Optimizer:
    """An optimizer of nothing: values that it does not take are told when the GAN is built.

    Args:
        name: its key in the configuration of the training.
        make: parameters -> optimizer.

    Raises:
        InvalidValueError: it takes one of the values not.
    """
    try:
        optimizer = make([nn.Parameter(torch.zeros(()))])
    except ValueError as error:
        raise InvalidValueError(f"{name}: {error}", name) from error
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise  # a value of a wrong type, which the annotations explain better
        how = f"a value that an experiment sets is taken away with ~training.{name}.KEY"
        raise InvalidValueError(f"{name}: {error}; {how}", name) from error
    positive_number(**{f"{name}.lr": optimizer.defaults["lr"]})  # with 0 nothing would ever be learnt
    return optimizer
