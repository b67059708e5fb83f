"""The ways to a receiver, one module each, behind the protocol `Channel`."""
