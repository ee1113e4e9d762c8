"""napari's status bar tells of the layer that is selected; beside it, what the evidence says under the mouse."""

from __future__ import annotations

from typing import Any

from napari_marsqe.evidence import at_cursor
from napari_marsqe.session import Session


class EvidenceStatus:
    """Adds the numbers of the current case's evidence to the status, while one of its layers is visible."""

    def __init__(self, session: Session) -> None:
        self._session = session
        # After the window has shown napari's own words: what is set last stays.
        session.viewer.events.status.connect(self._on_status, position="last")

    def disconnect_viewer(self) -> None:
        """Let go of the viewer."""
        self._session.viewer.events.status.disconnect(self._on_status)

    def _on_status(self, event: Any) -> None:
        viewer, case, told = self._session.viewer, self._session.case, event.value
        if case is None or not isinstance(told, dict) or "coordinates" not in told:
            return
        found = at_cursor(case.layers, viewer.cursor.position)
        if found and not told["coordinates"].endswith(found):
            viewer.status = {**told, "coordinates": f"{told['coordinates']}  ·  {found}"}
