"""Sessions as folders: everything that the workbench holds, written so that it reopens as it was."""
