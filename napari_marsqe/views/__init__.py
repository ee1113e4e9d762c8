"""What the workbench shows: inspector, comparison, charts."""
