"""What starting costs: the imports, and the workbench in napari, in processor milliseconds of fresh processes.

    scripts/with-display.sh python benchmarks/startup.py [--runs N]

The fastest of the runs counts. napari is there before the plugin is: its own import and its search for plugins are
not counted. Compiled bytecode is kept as in an installation.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile

_IMPORT = """
import json, time
started = time.process_time()
import marsqe
print("RESULT" + json.dumps({"import marsqe": time.process_time() - started}))
"""
_OPEN = """
import json, time
from marsqe.samples import SAMPLES, sample_path
path = sample_path(SAMPLES[0].name, "compressed")
import marsqe
started = time.process_time()
marsqe.open_image(path)
first = time.process_time() - started
started = time.process_time()
marsqe.open_image(path)
print("RESULT" + json.dumps({"first image opened": first, "next image opened": time.process_time() - started}))
"""
_DOCK = """
import json, time
import napari
from npe2 import PluginManager
from qtpy.QtWidgets import QApplication
viewer = napari.Viewer()
PluginManager.instance().discover()
import napari.qt.threading
QApplication.processEvents()
times = {}
started = time.process_time()
import napari_marsqe.workbench
times["workbench imported"] = time.process_time() - started
started = time.process_time()
dock = napari_marsqe.workbench.Workbench(viewer)
times["workbench made"] = time.process_time() - started
started = time.process_time()
from napari_marsqe.settings import engine_settings
engine_settings()
times["settings read, once the workbench is drawn"] = time.process_time() - started
print("RESULT" + json.dumps(times))
import os; os._exit(0)
"""


def times_of(code: str, cache: str) -> dict[str, float]:
    """Seconds that a fresh process reports."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": cache, "NAPARI_CONFIG": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    if "RESULT" not in done.stdout:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.rpartition("RESULT")[2]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as cache:
        for code in (_IMPORT, _OPEN, _DOCK):
            times_of(code, cache)  # compiles
            found = [times_of(code, cache) for _ in range(runs)]
            for name in found[0]:
                sys.stdout.write(f"{name}: {1000 * min(times[name] for times in found):.0f} ms\n")


if __name__ == "__main__":
    main()
