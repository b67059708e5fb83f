"""The facts of one person in the order of the world: reports of one event, places, corrections. Pure."""
