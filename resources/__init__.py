"""Data of the package: weights, reference dictionary, sample images."""
