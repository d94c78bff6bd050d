"""Search spaces: sweeps of the command line, such as ``tag(log, interval(1e-4, 1e-2))``, as Optuna's distributions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Transformer

from fmcgan.app.errors import UserError
from fmcgan.search.study import import_optuna

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


class Space(NamedTuple):
    """Overrides of a search: a distribution for each key that varies, and the overrides that all trials share."""

    distributions: dict[str, "BaseDistribution"]
    fixed: tuple[str, ...]

    def overrides(self, values: Mapping[str, object]) -> list[str]:
        """Returns the overrides of a trial with these values."""
        return [*self.fixed, *(f"{key}={value}" for key, value in values.items())]


def read_space(overrides: Sequence[str], loader: ConfigLoader | None = None) -> Space:
    """Reads overrides; of two of the same key, the last one counts.

    As in Hydra, ``a,b`` and ``choice(a, b)`` are choices, ``range(8, 65, 8)`` steps without its end, ``interval(1, 9)``
    all numbers and ``int(interval(1, 9))`` all whole numbers between both ends. ``tag(log, interval(...))`` has a
    logarithmic scale.

    Raises:
        UserError: a sweep has no values, or ends of an interval that Optuna refuses.
    """
    last = {each.get_key_element(): each for each in OverridesParser.create(loader).parse_overrides(list(overrides))}
    varied = {key: each for key, each in last.items() if each.is_sweep_override()}
    fixed = tuple(str(each.input_line) for key, each in last.items() if key not in varied)
    return Space({key: _distribution(each) for key, each in varied.items()}, fixed)


def _distribution(override: Override) -> "BaseDistribution":
    try:
        if override.is_interval_sweep():
            return _interval(override)
        values = list(override.sweep_iterator(transformer=Transformer.encode))
        if override.is_range_sweep() and len(values) > 1:
            return _steps(sorted(values))  # type: ignore[arg-type]
        return import_optuna().distributions.CategoricalDistribution(values)
    except ValueError as error:
        raise UserError(f"{override.input_line}: {error}") from error


def _interval(override: Override) -> "BaseDistribution":
    interval = override.value()
    low, high, log = interval.start, interval.end, "log" in interval.tags  # type: ignore[union-attr]
    kinds = import_optuna().distributions
    is_whole = isinstance(low, int) and isinstance(high, int)
    return (kinds.IntDistribution if is_whole else kinds.FloatDistribution)(low, high, log=log)


def _steps(values: Sequence[float]) -> "BaseDistribution":
    kinds = import_optuna().distributions
    kind = kinds.IntDistribution if all(isinstance(each, int) for each in values) else kinds.FloatDistribution
    return kind(values[0], values[-1], step=values[1] - values[0])
