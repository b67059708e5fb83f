"""What the program promises, as sentences that can fail."""
