"""Part 4, mean-field limits: what is left of many neurons on a large network."""
