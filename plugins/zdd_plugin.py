"""The plugin that Airflow's loader finds. The only file it may scan: `.airflowignore` keeps it out of `zdd/`."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class ZddPlugin(AirflowPlugin):
    """Zero-downtime releases of Azure Durable Functions apps. Operators, sensors and triggers are plain imports."""

    name = "zdd"
