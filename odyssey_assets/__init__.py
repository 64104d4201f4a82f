"""Moves Odyssey Feedback from SQLite to PostgreSQL. Nothing is imported here, so that importing stays free of effects."""

__version__ = "0.1.0"
