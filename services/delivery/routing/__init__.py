"""The decision to which receivers a notice goes: a pure function of notice, routes, silences and earlier messages."""
