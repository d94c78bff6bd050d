import numpy as np

from fmcgan.figure.run_curves import (
    gradient_norm_figure,
    logit_figure,
    metric_figure,
    metric_names,
    speed_figure,
)


def rows(n=20, **values):
    return [
        {"images_seen": 100 * (i + 1)} | {key.replace("__", "/"): value(i) for key, value in values.items()}
        for i in range(n)
    ]


def curves(axes):
    """Heights of the curves of a panel by their label."""
    return {line.get_label(): np.asarray(line.get_ydata(), dtype=float) for line in axes.lines}


def test_norms_after_clipping_are_cut_at_each_players_own_clip():
    given = rows(gradient_norm__generator=lambda i: 1.0 + i, gradient_norm__discriminator=lambda i: 3.0)
    before, after = gradient_norm_figure(given, generator_clip=5.0).axes
    np.testing.assert_array_equal(curves(before)["generator"], np.arange(1.0, 21.0))
    np.testing.assert_array_equal(curves(after)["generator"], np.minimum(np.arange(1.0, 21.0), 5.0))
    np.testing.assert_array_equal(curves(after)["discriminator"], np.full(20, 3.0))
    assert set(curves(before)) - set(curves(after)) == {"generator clipped to 5 afterwards"}
    assert after.get_ylim() == before.get_ylim()
    assert len(gradient_norm_figure(given).axes) == 1


def test_shares_judged_real_are_left_out_where_zero_does_not_divide():
    given = rows(
        logit__real=lambda i: 1.0,
        logit__fake=lambda i: -1.0,
        judged_real__real=lambda i: 0.75,
        judged_real__fake=lambda i: 0.25,
    )
    logits, shares = logit_figure(given).axes
    assert {label: heights[0] for label, heights in curves(logits).items()} == {
        "real images": 1.0,
        "generated images": -1.0,
    }
    assert {label: heights[0] for label, heights in curves(shares).items()} == {
        "real images": 0.75,
        "generated images": 0.25,
    }
    assert len(logit_figure(given, has_decision_boundary=False).axes) == 1


def test_learning_rates_are_drawn_if_one_of_them_changes():
    constant = {"learning_rate__generator": lambda i: 2e-4, "images_per_second": lambda i: 900.0}
    assert len(speed_figure(rows(**constant, learning_rate__discriminator=lambda i: 1e-4)).axes) == 1
    speed, rates = speed_figure(rows(**constant, learning_rate__discriminator=lambda i: 1e-4 * (20 - i))).axes
    assert set(curves(speed)) == {"images per second"}
    assert curves(rates)["generator"].tolist() == [2e-4] * 20
    assert curves(rates)["discriminator"][-1] == 1e-4
    same = rows(learning_rate__generator=lambda i: 1.0 + i, learning_rate__discriminator=lambda i: 1.0 + i)
    assert set(curves(speed_figure(same).axes[1])) == {"generator and discriminator"}


def test_each_score_has_a_panel_with_what_real_images_get():
    name, other = "fd_classifier_10k_test", "recall_k3_classifier_10k_test"
    given = [
        {
            "images_seen": 100,
            f"score/{name}": 3.0,
            f"floor/{name}": 0.02,
            f"score/{other}": 0.01,
            f"floor/{other}": 0.9,
        },
        {"images_seen": 150, "loss/generator": 1.0},
        {"images_seen": 200, f"score/{name}": 1.0, f"floor/{name}": 0.02, f"score/{other}": None},
    ]
    assert metric_names(given) == [name, other]
    distance, recall = metric_figure(given, {name: "FD", other: "Recall"}, [other]).axes
    assert curves(distance)["generator"].tolist() == [3.0, 1.0]
    assert curves(distance)["real images"].tolist() == [0.02, 0.02]
    assert distance.get_yscale() == "log"
    assert recall.get_yscale() == "linear"
    assert curves(recall)["generator"][0] == 0.01
    assert recall.get_ylim() == (0, 1.02)  # a share
    assert metric_figure(given[1:2], {}, []) is None
