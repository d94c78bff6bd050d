"""Parts of a long command of which one may fail without taking the others with it."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from fmcgan.app.errors import UserError

log = logging.getLogger(__name__)

LONGEST = 300
"""Letters of a reason that a page and the terminal show."""


class Attempts:
    """Remembers which parts failed, and why.

    Args:
        passed_on: errors that end the command after all.
    """

    def __init__(self, *passed_on: type[Exception]) -> None:
        self.passed_on = passed_on
        self.failed: dict[str, str] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Runs a part; an error in it is logged and noted under the part's name, with its stack trace if unexpected."""
        try:
            yield
        except self.passed_on:
            raise
        except Exception as error:
            self.failed[name] = _reason(error)
            trace = "" if isinstance(error, UserError) else "".join(traceback.format_exception(error))
            log.error("%s%s failed: %s", trace, name, self.failed[name])

    def end(self) -> None:
        """Ends the command if a part failed. Call it when everything else is written.

        Raises:
            UserError: names what failed and why.
        """
        if self.failed:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.failed.items())
            raise UserError(f"everything was written but what failed ({reasons})")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    reason = text if isinstance(error, UserError) else f"{type(error).__name__}: {text}".removesuffix(": ")
    return reason if len(reason) <= LONGEST else f"{reason[:LONGEST]} ..."
