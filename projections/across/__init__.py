"""The rules across people: contributions, windows, episodes and pairs, from the histories of several people. Pure."""
