"""The number that says how the weights of a file are to be read. Alone here: reading it must not import Lightning."""

CHECKPOINT_FORMAT = 3
"""Raised when a change gives old weights another meaning. 1, without a number: networks counted their vectors channel
by channel; 2: networks had their label inside instead of a conditioning."""
