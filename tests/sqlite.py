"""SQLite without waiting for the disk, which takes more time than all the rest of a test of a search."""

import pytest


@pytest.fixture(scope="session")
def quick_sqlite() -> None:
    """A database of these tests need not outlive a power cut."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    event.listen(Engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
