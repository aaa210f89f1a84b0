"""The demo: a release of the orders app under traffic, on local Azure and a real Airflow."""
