"""Scale: whole folders by several processes or a cluster, and mosaics that do not fit into memory."""

from marsqe.scale.run import BatchProgress, Report, batch_steps
from marsqe.scale.settings import Settings

__all__ = ["BatchProgress", "Report", "Settings", "batch_steps"]
