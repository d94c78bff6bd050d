import inspect
from collections.abc import Callable
from typing import Any


def parameters_of(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Returns the parameters of a function or constructor by name.

    If a constructor has ``**options``, its parent's parameters replace it. It stays if no parent says what it takes.

    Raises:
        ValueError, TypeError: it has no readable signature.
    """
    found = dict(inspect.signature(target).parameters)
    for parent in target.__mro__[1:-1] if isinstance(target, type) else ():
        passed_on = [name for name, each in found.items() if each.kind is each.VAR_KEYWORD]
        if not passed_on:
            break
        if "__init__" in vars(parent):
            del found[passed_on[0]]
            _self, *inherited = inspect.signature(parent.__init__).parameters.items()  # type: ignore[misc]
            found = dict(inherited) | found
    return found
