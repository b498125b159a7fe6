"""Part 3, training: how the weights move."""
