"""Serves the bundled speedscope and a run's profile on loopback, under a random token."""
