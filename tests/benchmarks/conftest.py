import pytest
import torch

from benchmarks import setting


@pytest.fixture
def tiny(monkeypatch):
    """Makes the setting of a measurement that takes a second, on drawn images."""
    monkeypatch.setattr(setting, "has_real_images", lambda: False)

    def tiny(*changes: str, networks=("dcgan",), precisions=("32-true",)) -> setting.Setting:
        return setting.Setting(torch.device("cpu"), networks, precisions, 8, 4, 0.0, ("network.width=8", *changes))

    return tiny
