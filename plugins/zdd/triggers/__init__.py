"""Airflow triggers: async, free of side effects, safe to run twice."""
