"""Errors that end a command with one clear line instead of a stack trace. Any room may import this file."""


class UserError(Exception):
    """Something the user can mend: its text says what was given, what is allowed and what to do."""


class InvalidValueError(UserError, ValueError):
    """A value of the user has the wrong type or range.

    Args:
        message: what was given, what is allowed, what to do.
        name: of the parameter, if the message begins with it: the key of the part is then put in front of it.
    """

    def __init__(self, message: str, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


class Interrupted(Exception):  # noqa: N818 (not an error: somebody asked for it)
    """Training was stopped by a signal and its state was saved.

    Args:
        signal_number: the signal; the exit code of the process is 128 more.
        checkpoint: path of the saved state.
    """

    def __init__(self, signal_number: int, checkpoint: str) -> None:
        super().__init__(f"stopped by signal {int(signal_number)}")
        self.signal_number = int(signal_number)
        self.checkpoint = checkpoint
