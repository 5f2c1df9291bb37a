"""A training step as the NumPy calls that it consists of, recorded while it was made eagerly."""
