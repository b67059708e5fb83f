"""The texts of messages in each language, from files that a translator can edit, and the functions that make them."""
