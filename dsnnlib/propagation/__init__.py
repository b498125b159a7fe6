"""Part 2, information propagation: how the input flows through the network."""
