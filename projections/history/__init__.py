"""The facts of one person in world order: corrections, reports of one event, places. Pure."""
