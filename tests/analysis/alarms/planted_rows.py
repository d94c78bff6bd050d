"""Rows of a planted run, with or without faults."""

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
