"""The table behind `/orm`: one Django model on SQLite, read in the same way by every application.

Frameworks without an ORM of their own use Django's too: the endpoint compares servers, not query builders.
"""
