"""Airflow sensors of zdd."""

from zdd.sensors.task_hub import ZeroRunningInstancesSensor

__all__ = ["ZeroRunningInstancesSensor"]
