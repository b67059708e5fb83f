"""Facts: the vocabulary, time, and the wire form. Pure functions of their arguments."""
