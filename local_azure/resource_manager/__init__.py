"""The Resource Manager: one file a resource, and the application that finds the right one for a request."""
