from fmcgan.schedule.linear import Linear


class Constant(Linear):
    """A constant value, the baseline of a sweep over schedules."""

    def __init__(self, value: float = 1.0) -> None:
        super().__init__(start_value=value, end_value=value, start_images=0, end_images=1)
