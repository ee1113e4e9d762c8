"""The five steps of the workbench, one file each."""
