"""The tracks of a person's status: posts, cases with their counts, custody, searches, measures. Pure."""
