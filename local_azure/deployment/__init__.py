"""The deployment endpoint of each slot (what Kudu is on Azure), and the content that it deploys."""
