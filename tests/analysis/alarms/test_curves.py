import math

import pytest

from fmcgan.analysis.alarms.curves import (
    Facts,
    clipping_always_active,
    curve_alarms,
    discriminator_saturated,
    discriminator_stuck,
    exploding_gradients,
    unfinished,
    vanishing_gradients,
)
from tests.analysis.alarms.planted_rows import rows, scores

SOUND = scores(fd=[0.6, 0.58], label_agreement=[0.9, 0.91], recall=[0.7, 0.72], coverage=[0.8, 0.85])


@pytest.mark.parametrize("n", [0, 1, 2, 9, 10, 11, 50, 500])
def test_a_sound_run_of_any_length_raises_nothing(n):
    assert curve_alarms([*rows(n), *SOUND], Facts(generator_clip=5.0, discriminator_clip=5.0)) == []


@pytest.mark.parametrize(
    ("name", "planted", "facts"),
    [
        ("the training is not finished", rows(epochs=4), Facts(planned_epochs=10, finished=False)),
        (
            "the discriminator is saturated",
            rows(judged_real__real=lambda t: 0.999, judged_real__fake=lambda t: 0.9 if t < 0.5 else 0.001),
            Facts(),
        ),
        (
            "the discriminator does not learn",
            rows(judged_real__real=lambda t: 0.505, judged_real__fake=lambda t: 0.5),
            Facts(),
        ),
        ("mode collapse", rows() + scores(recall=[0.7, 0.2]), Facts()),
        ("labels are ignored", rows() + scores(label_agreement=[0.11]), Facts()),
        ("exploding gradients", rows(gradient_norm__generator=lambda t: 10 ** (3 * t)), Facts()),
        ("vanishing gradients", rows(gradient_norm__discriminator=lambda t: 10 ** (-8 * t)), Facts()),
        ("clipping is always active", rows(gradient_norm__discriminator=lambda t: 7.0), Facts(discriminator_clip=1)),
        ("still improving", rows() + scores(fd=[3.0, 2.0]), Facts()),
        ("the last generator is not the best", rows() + scores(fd=[3.0, 0.5, 0.9]), Facts()),
    ],
)
def test_each_planted_fault_raises_its_alarm_and_no_other(name, planted, facts):
    (alarm,) = curve_alarms(planted, facts)
    assert alarm.name == name
    assert alarm.statement.endswith(".")
    assert any(letter.isdigit() for letter in alarm.rule + alarm.statement)


def test_who_wins_is_read_off_the_last_fifth_alone():
    def shares(begins):
        return rows(
            judged_real__real=lambda t: 1.0 if t >= begins else 0.8, judged_real__fake=lambda t: 0.3 * (t < begins)
        )

    assert discriminator_saturated(shares(0.8))  # rows 40..49 of 50 have t of 40/49 = 0.816 on
    assert not discriminator_saturated(shares(0.84))  # the first two of ten rows: 0.96 of the real images
    assert not discriminator_saturated(shares(0.8)[:9])
    assert "100.0 % of the real and 0.0 % of the generated" in discriminator_saturated(shares(0.0)).statement


def test_shares_say_nothing_where_zero_does_not_divide():
    always = rows(judged_real__real=lambda t: 1.0, judged_real__fake=lambda t: 0.0)
    alike = rows(judged_real__real=lambda t: 1.0, judged_real__fake=lambda t: 1.0)
    assert discriminator_saturated(always)
    assert discriminator_stuck(alike)
    assert curve_alarms([*always, *SOUND], Facts(has_decision_boundary=False)) == []
    assert curve_alarms([*alike, *SOUND], Facts(has_decision_boundary=False)) == []


@pytest.mark.parametrize(
    ("fd", "alarmed"),
    [([9.0], True), ([9.0, 9.1], True), ([9.0, 8.7], True), ([9.0, 8.0], False), ([0.52], False), ([0.53], True)],
)
def test_a_discriminator_may_be_blind_if_the_generator_is_good_or_learns(fd, alarmed):
    alike = rows(judged_real__real=lambda t: 0.31, judged_real__fake=lambda t: 0.3)
    assert bool(discriminator_stuck(alike + scores(fd=fd))) == alarmed
    apart = rows(judged_real__real=lambda t: 0.33, judged_real__fake=lambda t: 0.3)
    assert not discriminator_stuck(apart + scores(fd=fd))


def test_gradient_norms_are_compared_by_medians_of_both_ends():
    def growing(factor):
        return rows(gradient_norm__generator=lambda t: 1 if t < 0.5 else factor)

    assert not exploding_gradients(growing(99))
    assert "generator's from 1 to 101" in exploding_gradients(growing(101)).statement
    spike = rows(gradient_norm__generator=lambda t: 1e9 if t == 1 else 1.0)
    assert not exploding_gradients(spike)
    from_nothing = rows(gradient_norm__generator=lambda t: 0.0 if t < 0.5 else 5e-5)  # a last layer that began at 0
    assert not exploding_gradients(from_nothing)
    assert not vanishing_gradients(from_nothing)
    assert "discriminator's 0" in vanishing_gradients(rows(gradient_norm__discriminator=lambda t: 0.0)).statement


@pytest.mark.parametrize(("above", "alarmed"), [(45, False), (46, True)])  # of 50: more than nine tenths
def test_clipping_is_counted_in_rows(above, alarmed):
    planted = rows(gradient_norm__generator=lambda t: 2.0 if round(49 * t) < above else 0.5)
    assert bool(clipping_always_active(planted, generator_clip=1.0)) == alarmed
    assert not clipping_always_active(planted)
    assert not clipping_always_active(planted, generator_clip=3.0)
    assert not clipping_always_active(planted, discriminator_clip=3.0)


@pytest.mark.parametrize(
    ("epochs", "planned", "finished", "alarmed"),
    [
        (4, 10, False, True),
        (9.6, 10, False, False),
        (4, 10, True, False),
        (4, None, False, True),
        (4, None, True, False),
    ],
)
def test_a_run_is_unfinished_without_result_and_epochs(epochs, planned, finished, alarmed):
    found = unfinished(rows(epochs=epochs), finished, planned)
    assert bool(found) == alarmed
    assert not found or "4 epochs" in found.statement


def test_an_unfinished_run_is_not_told_twice_to_go_on():
    planted = rows(epochs=4) + scores(fd=[3.0, 2.0])
    assert [alarm.name for alarm in curve_alarms(planted, Facts(planned_epochs=50, finished=False))] == [
        "the training is not finished"
    ]


def test_values_that_are_missing_or_not_finite_are_left_out():
    planted = rows(judged_real__real=lambda t: 1.0, judged_real__fake=lambda t: 0.0)
    for row in planted[::3]:
        row["judged_real/real"] = None
    for row in planted[1::3]:
        row["judged_real/real"] = math.nan
    assert discriminator_saturated(planted)
