import math

import pytest

from fmcgan.analysis.alarms.curves import (
    Facts,
    clipping_always_active,
    curve_alarms,
    discriminator_saturated,
    discriminator_stuck,
    exploding_gradients,
    history,
    ignored_below,
    labels_ignored,
    mode_collapse,
    not_the_best,
    still_improving,
    unfinished,
    vanishing_gradients,
)

FLOORS = {
    "fd_classifier_10k_test": 0.025,
    "label_agreement_classifier_10k": 0.93,
    "recall_k3_classifier_10k_test": 0.88,
    "coverage_k5_classifier_10k_test": 0.97,
}


def rows(n=50, epochs=10.0, **changed):
    """Rows of a sound run; a change is a function of the time, 0 at the first row and 1 at the last."""
    sound = {
        "loss/generator": lambda t: 0.9 - 0.1 * t,
        "loss/discriminator": lambda t: 1.3,
        "judged_real/real": lambda t: 0.9 - 0.1 * t,
        "judged_real/fake": lambda t: 0.5 - 0.3 * t,
        "gradient_norm/generator": lambda t: 4 * 10**-t,
        "gradient_norm/discriminator": lambda t: 1 + t,
        "learning_rate/generator": lambda t: 2e-4,
    }
    curves = sound | {name.replace("__", "/"): change for name, change in changed.items()}
    return [
        {"images_seen": 1000 * (i + 1), "epoch": epochs * (i + 1) / n, "seconds": i + 1.0}
        | {name: curve(i / max(n - 1, 1)) for name, curve in curves.items()}
        for i in range(n)
    ]


def scores(floors=True, **curves):
    """Rows of evaluations: ``fd=[3.0, 1.0]`` after epochs 5 and 10."""
    known = {next(name for name in FLOORS if name.startswith(short)): values for short, values in curves.items()}
    return [
        {"images_seen": 5000 * (i + 1), "epoch": 5.0 * (i + 1), "seconds": 5.0}
        | {f"score/{name}": values[i] for name, values in known.items() if i < len(values)}
        | {f"floor/{name}": FLOORS[name] for name in known if floors}
        for i in range(max(map(len, known.values())))
    ]


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
    ("fd", "alarmed"), [([9.0], True), ([9.0, 9.1], True), ([9.0, 8.7], True), ([9.0, 8.0], False), ([0.07], False)]
)
def test_a_discriminator_may_be_blind_if_the_generator_is_good_or_learns(fd, alarmed):
    alike = rows(judged_real__real=lambda t: 0.31, judged_real__fake=lambda t: 0.3)
    assert bool(discriminator_stuck(alike + scores(fd=fd))) == alarmed
    apart = rows(judged_real__real=lambda t: 0.33, judged_real__fake=lambda t: 0.3)
    assert not discriminator_stuck(apart + scores(fd=fd))


@pytest.mark.parametrize(
    ("recall", "floors", "alarmed"),
    [
        ([0.6, 0.31], True, False),
        ([0.6, 0.29], True, True),
        ([0.089], True, False),  # a tenth of 0.88 is 0.088
        ([0.087], True, True),
        ([0.087], False, False),
        ([0.0, 0.7], True, False),
        ([0.7, 0.0], False, True),
    ],
)
def test_collapse_is_measured_against_the_best_and_against_real_images(recall, floors, alarmed):
    assert bool(mode_collapse(scores(floors, recall=recall))) == alarmed
    both = mode_collapse(scores(floors, recall=recall, coverage=[0.9] * len(recall)))
    assert bool(both) == alarmed
    assert "coverage" not in (both.statement if both else "")


@pytest.mark.parametrize(
    ("agreement", "floors", "alarmed"),
    [
        ([0.47], True, False),
        ([0.46], True, True),
        ([0.21], False, False),
        ([0.19], False, True),
        ([0.1, 0.9], True, False),
    ],
)
def test_label_agreement_by_hand(agreement, floors, alarmed):
    assert bool(labels_ignored(scores(floors, label_agreement=agreement), chance=0.1)) == alarmed


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


def test_a_taken_back_learning_rate_means_that_the_run_ended_as_planned():
    improving = scores(fd=[3.0, 2.0])
    assert still_improving(rows() + improving)
    assert still_improving(rows(learning_rate__generator=lambda t: 1 - 0.8 * t) + improving)
    assert not still_improving(rows(learning_rate__generator=lambda t: 1 - t) + improving)
    assert not still_improving(rows() + scores(fd=[3.0, 2.9]))
    assert not still_improving(rows() + scores(fd=[3.0]))
    assert not curve_alarms(rows() + improving, Facts(finished=True, planned_epochs=10))[1:]


@pytest.mark.parametrize(("fd", "alarmed"), [([1.0, 1.09], False), ([1.0, 1.11], True), ([1.0, 2.0, 0.9], False)])
def test_not_the_best_by_hand(fd, alarmed):
    found = not_the_best(scores(fd=fd))
    assert bool(found) == alarmed
    assert not found or "after epoch 5 (1)" in found.statement


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


def test_history_takes_our_classifier_of_several_networks_and_leaves_gaps_out():
    known = [
        {
            "epoch": 1.0,
            "score/fd_inception_10k_test": 30.0,
            "score/fd_classifier_10k_test": 3.0,
            "floor/fd_classifier_10k_test": 0.1,
        },
        {"epoch": 2.0, "score/fd_inception_10k_test": 20.0, "score/fd_classifier_10k_test": None},
        {"epoch": 3.0, "score/class_fd_classifier_10k_test": 5.0, "score/fd_classifier_10k_test": math.inf},
        {"epoch": 4.0, "score/fd_classifier_10k_test": 2.0},
    ]
    assert history(known, "fd") == [(1.0, 3.0, 0.1), (4.0, 2.0, None)]
    assert history(known, "recall") == []


def test_values_that_are_missing_or_not_finite_are_left_out():
    planted = rows(judged_real__real=lambda t: 1.0, judged_real__fake=lambda t: 0.0)
    for row in planted[::3]:
        row["judged_real/real"] = None
    for row in planted[1::3]:
        row["judged_real/real"] = math.nan
    assert discriminator_saturated(planted)


@pytest.mark.parametrize(
    ("real", "chance", "limit"),
    [
        (0.9, 0.1, 0.45),
        (None, 0.1, 0.2),
        (0.98, 0.5, 0.74),  # half of it would be below chance
        (None, 0.5, 0.75),  # and twice chance would be 1
        (0.9, 1 / 3, 0.45),
        (None, 0.001, 0.002),
    ],
)
def test_the_limit_of_label_agreement_depends_on_chance(real, chance, limit):
    assert ignored_below(real, chance) == pytest.approx(limit)
