"""Every SQL statement, as functions that take a transaction first and never commit."""
