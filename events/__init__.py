"""What happened: the vocabulary of facts, time, and the wire form. Pure functions of their arguments."""
