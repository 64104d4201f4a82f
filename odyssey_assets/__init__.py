"""Moves Odyssey Feedback from SQLite to PostgreSQL. Importing it has no effects."""

__version__ = "0.1.0"
