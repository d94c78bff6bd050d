import shutil
from pathlib import Path

import pytest

from fmcgan.app.config_dir import config_dir
from study import catalogue

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.train
def test_the_committed_tables_are_what_the_files_and_the_study_say(tmp_path):
    for name in (*catalogue.PAGES, "study.json"):
        shutil.copy(DOCS / name, tmp_path / name)
    catalogue.write(tmp_path)
    for name in catalogue.PAGES:
        assert (tmp_path / name).read_text("utf-8") == (DOCS / name).read_text("utf-8"), "make options"


def test_every_arm_shows_the_option_that_its_file_chooses():
    """An arm of a group's default changes nothing in this group."""
    for group, arms in catalogue.STUDIED.items():
        for option, arm in arms.items():
            text = (config_dir() / "experiment" / f"{arm}.yaml").read_text(encoding="utf-8")
            if arm not in (
                catalogue.BASE,
                "study/no_penalty",
                "study/wgan_gp",
                "study/dragan",
            ):  # a loss sets its penalty
                assert f"override /{group}: {option}\n" in text, (group, option)


def test_formulas_are_those_of_the_class_or_of_its_base():
    def formula(name):
        return catalogue.formula(config_dir() / name)

    assert formula("loss/hinge.yaml") == "`L_D = E[max(0, 1 - real)] + E[max(0, 1 + fake)]`<br>`L_G = -E[fake]`"
    assert formula("loss/wgan.yaml") == formula("loss/wgan_gp.yaml")
    assert formula("penalty/r1.yaml") == "`R1 = weight / 2 * E[‖grad_x D(x, y)‖_2^2] over real x`"
    assert formula("penalty/none.yaml") == ""
