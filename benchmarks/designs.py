"""Designs of marsqe-swift, and the larger presets, compared after the same short training.

    python benchmarks/designs.py --data DIR --out RUNS [--designs swift wide ...] [--budget 480]

Each learns on the pairs and for the processor time that the rivals have, and is validated on central squares of 256
pixels. Runs that are finished in ``--out`` are only read. The table at the end gives the gain over the JPEG, the
parameters, and the multiplications of a whole image.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from marsqe.networks.cost import count_module_macs, count_parameters
from marsqe.networks.registry import build_design
from marsqe.networks.swift import MarsQESwift, SwiftConfig
from marsqe.train.loop import Recipe, train

RECIPE = Recipe(clock="cpu", batch=2, size=64, warm_up=40, seed=5, precision="32-true", validation_side=256)
BLOCK = 8


class SpectrumSwift(MarsQESwift):
    """marsqe-swift whose deepest level also sees the DCT coefficients of its block and has a say in them.

    A convolution of 8x8 with stride 8 is any linear function of a block's coefficients; it begins as zero.
    """

    def __init__(self, config: SwiftConfig) -> None:
        super().__init__(config)
        deep = config.widths[2]
        self.analysis = nn.Conv2d(3, deep, BLOCK, stride=BLOCK)
        self.synthesis = nn.ConvTranspose2d(deep, 3, BLOCK, stride=BLOCK)
        for part in (self.analysis, self.synthesis):
            nn.init.zeros_(part.weight)

    def enhance(self, compressed: Tensor, condition: Tensor) -> Tensor:
        """See :meth:`MarsQESwift.enhance`."""
        fine, coarse = self.encode(compressed, condition)
        deep = self.middle(self.know3(self.down2(coarse) + self.analysis(compressed), condition))
        decoded = self.decode_fine(self.decode2(self.up2(deep) + coarse), fine, condition)
        return self.to_image(decoded, compressed) + self.synthesis(deep).float()


def swift(**fields: object) -> Callable[[], nn.Module]:
    return lambda: MarsQESwift(SwiftConfig(**fields))  # type: ignore[arg-type]


DESIGNS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "swift": ("as bundled: widths 32, 64, 128, 20 blocks, half resolution", swift()),
    "shallow": ("12 blocks", swift(encoder=(2, 2), middle=4, decoder=(2, 2))),
    "deep": ("28 blocks, the new ones at an eighth of the resolution", swift(middle=16)),
    "wide": ("widths 48, 96, 192", swift(widths=(48, 96, 192))),
    "narrow": ("widths 24, 48, 96", swift(widths=(24, 48, 96))),
    "quarter": ("a quarter of the resolution, widths 64, 128, 192", swift(unshuffle=4, widths=(64, 128, 192))),
    "spectrum": ("with the blocks' DCT coefficients", lambda: SpectrumSwift(SwiftConfig())),
    "marsqe-lite": ("with references", lambda: build_design("marsqe-lite")),
    "marsqe": ("with references and post-enhancement", lambda: build_design("marsqe")),
}


def trained(name: str, data: Path, out: Path, budget: float) -> list[dict[str, float]]:
    """The validation of a design, trained first where that was not done yet."""
    result = out / name / "validation.json"
    if not result.is_file():
        recipe = replace(RECIPE, budget=budget)
        if name.startswith("marsqe"):  # their references are patches of 128
            recipe = replace(recipe, batch=1, size=128, rate=5e-4)
        torch.manual_seed(recipe.seed)
        for report in train(DESIGNS[name][1](), data, out / name, recipe):
            if report.gains:
                continue
            print(
                f"{name}: step {report.step}, {report.elapsed:.0f} of {budget:.0f} s, loss {report.loss:.5f}",
                flush=True,
            )
    rows: list[dict[str, float]] = json.loads(result.read_text())["validation"]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--designs", nargs="+", choices=list(DESIGNS), default=list(DESIGNS))
    parser.add_argument("--budget", type=float, default=480.0, help="processor seconds for each")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.designs:
        rows = trained(name, options.data, options.out, options.budget)
        gains = ", ".join(f"{r['split']} QF {r['quality']} {r['gain_mean']:+.3f}" for r in rows)
        network = DESIGNS[name][1]()
        cost = f"{count_parameters(network):,} parameters, {count_module_macs(network, cached=True) / 1e12:.3f} TMAC"
        print(f"{name} ({DESIGNS[name][0]}): {cost}; {gains}", flush=True)


if __name__ == "__main__":
    main()
