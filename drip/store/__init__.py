"""SQLAlchemy tables and every query on them, one file an aggregate."""
