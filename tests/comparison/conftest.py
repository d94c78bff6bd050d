from tests.report.conftest import read_page, write_run  # noqa: F401 (fixtures)
from tests.sqlite import quick_sqlite  # noqa: F401
