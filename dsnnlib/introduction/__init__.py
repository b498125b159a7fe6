"""Part 1, introduction: the two dynamical systems, on and of the network."""
