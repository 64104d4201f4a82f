"""The switch from SQLite to PostgreSQL and the way back, as steps that can be broken off anywhere."""
