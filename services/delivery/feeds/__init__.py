"""Feeds: Atom and JSON Feed of the messages to a receiver, page by page."""
