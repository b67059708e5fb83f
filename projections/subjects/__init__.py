"""One person: the status that follows from the facts, the view at a moment, the shapes of both. Pure."""
