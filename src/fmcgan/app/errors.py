"""Errors that end a command with one line instead of a stack trace. Every module may import this one."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

MAX_REASON = 300  # characters of a reason that a page and the terminal show


class UserError(Exception):
    """An error that the user can correct. The message says what was given, what is allowed and what to do."""


class InvalidValueError(UserError, ValueError):
    """A value has the wrong type or is out of range.

    Args:
        message: what was given, what is allowed, what to do.
        name: the parameter, if the message begins with it. The configuration key then replaces it.
    """

    def __init__(self, message: str, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


class Interrupted(Exception):  # noqa: N818 (a request, not an error)
    """A signal stopped the training, and a checkpoint was saved. The exit code is 128 plus the signal's number."""

    def __init__(self, signal_number: int, checkpoint: str) -> None:
        super().__init__(f"stopped by signal {int(signal_number)}")
        self.signal_number = int(signal_number)
        self.checkpoint = checkpoint


class Pruned(Exception):  # noqa: N818 (a decision, not an error)
    """A search has stopped a trial that is worse than the others. The message says when."""


class Failures:
    """Collects the errors of independent parts of a command, so that one failure does not stop the other parts.

    Args:
        reraise: exceptions that are raised instead of collected.

    Attributes:
        failed: the reason by name of the part.
    """

    def __init__(self, *reraise: type[Exception]) -> None:
        self.reraise = reraise
        self.failed: dict[str, str] = {}

    @contextmanager
    def catch(self, name: str) -> Iterator[None]:
        """Runs a part. An error is logged and collected under the part's name; only unexpected ones log a traceback."""
        try:
            yield
        except self.reraise:
            raise
        except Exception as error:
            self.failed[name] = _reason(error)
            trace = "" if isinstance(error, UserError) else "".join(traceback.format_exception(error))
            log.error("%s%s failed: %s", trace, name, self.failed[name])

    def raise_if_any(self) -> None:
        """Raises `UserError` with the failed parts and their reasons. Call it after all results are written."""
        if self.failed:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.failed.items())
            raise UserError(f"some parts failed, the other results were written ({reasons})")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    reason = text if isinstance(error, UserError) else f"{type(error).__name__}: {text}".removesuffix(": ")
    return reason if len(reason) <= MAX_REASON else f"{reason[:MAX_REASON]} ..."
