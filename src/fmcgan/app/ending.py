"""The signals that ask a process to end."""

import signal


def ending_signals() -> list[int]:
    """Ctrl-C, SIGTERM and SIGHUP (the terminal was closed), less one that ``nohup`` has switched off."""
    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    return [each for each in numbers if each == signal.SIGINT or signal.getsignal(each) != signal.SIG_IGN]
