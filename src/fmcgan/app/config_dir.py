"""Where the yaml files live."""

from pathlib import Path


def config_dir() -> Path:
    """The folder of the configuration: inside the package when installed from a wheel, else in the checkout."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "configs"
    return packaged if packaged.is_dir() else package.parent.parent / "configs"
