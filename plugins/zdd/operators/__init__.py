"""Airflow operators: each calls a hook and a core function, and records the evidence."""
