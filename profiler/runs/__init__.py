"""The one place that knows file names and schemas inside a run directory, and the catalogue of runs."""
