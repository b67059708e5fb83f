"""The work that a person asks for by a command: messages sent again, bounces, a preview, and tests."""
