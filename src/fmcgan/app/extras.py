"""Checks optional dependencies, which the extras of the package install."""

from importlib.util import find_spec

from fmcgan.app.errors import UserError


class MissingExtraError(UserError):
    """A package of an extra is not installed. The message has the command that installs it."""


def require_extra(extra: str, needed_by: str, *packages: str) -> None:
    """Checks that packages can be imported, without importing them.

    Args:
        extra: name in ``[project.optional-dependencies]``.
        needed_by: command, option or part, as the user calls it.
        packages: import names, such as ``mlflow``.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    if not all(map(_is_installed, packages)):
        raise MissingExtraError(f"{needed_by} needs the extra \"{extra}\": pip install 'fmcgan[{extra}]'")


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # nor the package that it is in
        return False
