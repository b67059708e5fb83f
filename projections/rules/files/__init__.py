"""Rule files: reading, checking, and their schema."""
