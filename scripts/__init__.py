"""Programs for work on the project itself; the installed package does not contain them."""
