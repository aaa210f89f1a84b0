"""The orchestration engine of local Azure: keeps a task hub in storage as DurableTask.AzureStorage does."""
