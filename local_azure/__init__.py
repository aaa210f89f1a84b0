"""Local Azure: a stand-in for Azure Resource Manager, the deployment endpoint and the Functions host.

It exists so that zdd's promises can be shown on a laptop and in CI. It never runs in production, and nothing
under `plugins/` or `dags/` imports it.
"""
