"""All state and all SQL; nothing outside this package imports sqlalchemy."""
