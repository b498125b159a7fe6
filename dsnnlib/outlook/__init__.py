"""Part 5, outlook: gradients, generative models and reliability, seen as dynamics."""
