"""MarsQE in napari: enhance compressed Martian images and see what was done."""
