"""Make resources/metrics from the published parameters: half precision for LPIPS, plain arrays for BRISQUE and NIQE.

Usage: ``python scripts/make_metric_parameters.py FOLDER``, where FOLDER holds ``lpips_alex.safetensors``,
``brisque_model_live.yml``, ``brisque_range_live.yml`` and ``niqe_pris_params.npz`` (origins: resources/NOTICE.md).
Prints the SHA-256 of every file, which src/marsqe/judgement/parameters.py lists.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

OUT = Path(__file__).parents[1] / "resources" / "metrics"
FEATURES = 36


def numbers(text: str, key: str) -> np.ndarray:
    """All numbers between ``key`` and the next key of an OpenCV YAML file."""
    after = text.split(f"{key}:", 1)[1]
    body = re.split(r"\n\s*(?:-\s*)?[a-z_]+:", after, maxsplit=1)[0]
    return np.array(re.findall(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?", body), dtype=np.float64)


def brisque(source: Path) -> None:
    model = (source / "brisque_model_live.yml").read_text(encoding="utf-8")
    limits = (source / "brisque_range_live.yml").read_text(encoding="utf-8")
    vectors = numbers(model, "support_vectors").reshape(-1, FEATURES)
    coefficients = numbers(model, "alpha")
    if len(vectors) != len(coefficients) or len(vectors) != int(numbers(model, "sv_total")[0]):
        raise SystemExit("the support vectors and their coefficients differ in number")
    np.savez_compressed(
        OUT / "brisque-live.npz",
        support_vectors=vectors.astype(np.float32),  # the file holds nine digits of single precision
        coefficients=coefficients,
        rho=numbers(model, "rho")[0],
        gamma=numbers(model, "gamma")[0],
        range=numbers(limits, "data").reshape(2, FEATURES),
    )


def main() -> None:
    source = Path(sys.argv[1])
    OUT.mkdir(exist_ok=True)
    tensors = load_file(source / "lpips_alex.safetensors")
    halves = {name: values.astype(np.float16) for name, values in tensors.items()}
    (OUT / "lpips-alex.safetensors").write_bytes(save(halves))
    brisque(source)
    (OUT / "niqe-pristine.npz").write_bytes((source / "niqe_pris_params.npz").read_bytes())
    for path in sorted(OUT.glob("*.*")):
        if path.is_file():
            print(hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size, path.name)


if __name__ == "__main__":
    main()
