"""Decisions: pure functions and frozen dataclasses. No I/O, no Airflow, no Azure, no clock of its own."""
