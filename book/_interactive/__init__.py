"""The figures with sliders: each module computes one, once, when the book is built."""
