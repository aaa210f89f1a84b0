"""The Functions host: one child process per slot that runs unmodified Python Durable Functions apps."""
