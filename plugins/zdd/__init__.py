"""zdd: safe releases of Azure Durable Functions apps from Apache Airflow."""
