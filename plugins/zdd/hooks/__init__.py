"""The outside world: Resource Manager, deployment endpoint, task hub, release store."""
