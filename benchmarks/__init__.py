"""Measurements of speed and needs; each module prints its figures, the machine, and the command that repeats them."""
