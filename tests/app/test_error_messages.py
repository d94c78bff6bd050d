"""Errors in the words of the command line."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationKeyError

from fmcgan.app.config_dir import config_dir
from fmcgan.app.error_messages import format_error


@pytest.mark.parametrize(
    ("part", "network"), [("maps", "classifier"), ("clusters", "random"), ("truncation", "classifier")]
)
def test_a_missing_feature_network_is_told_with_the_choice_that_adds_it(part, network):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = compose("analyze", [f"analysis=[{part}]", "metric/feature=[]"])
    with pytest.raises(InterpolationKeyError) as error:
        OmegaConf.to_container(config, resolve=True)
    line = format_error(error.value, config)
    assert line.startswith(f"error: analysis.{part} ")
    assert f"metric/feature=[{network}]" in line
