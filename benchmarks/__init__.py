"""How fast it is and what it needs. Each module prints what it measured, on what, and how to do it again."""
