"""Make resources/samples from the imagery folder: crop, keep the crop as lossless truth, compress it as a JPEG.

Usage: ``python scripts/make_samples.py --data FOLDER``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg

QUALITY = 30
# name: (source image, left, top, width, height); multiples of 8, so that the grid of a truth that was itself
# a JPEG stays where it was.
CROPS = {
    "curiosity-mastcam": ("val/msl_mastcam/739_2.jpg", 528, 0, 640, 440),
    "perseverance-hazcam": (
        "val/m2020_hazcam/FRF_0766_0734953260_255ECM_N0382208FHAZ02008_07_095J01.webp",
        336,
        320,
        640,
        512,
    ),
    "opportunity-hazcam": ("test/pds_gray/1F483288473EFFCMUFP1214L0M1.webp", 168, 32, 640, 512),
    "curiosity-navcam": ("test/pds_gray/NLB_517071516EDR_F0541490CCAM15900M1.webp", 8, 8, 640, 512),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds train/, val/ and test/")
    parser.add_argument("--out", type=Path, default=Path("resources/samples"))
    arguments = parser.parse_args()
    for name, (source, left, top, width, height) in CROPS.items():
        with Image.open(arguments.data / source) as image:
            pixels = np.asarray(image.convert("RGB"))[top : top + height, left : left + width]
        if (pixels == pixels[..., :1]).all():
            pixels = pixels[..., 0]
        compressed = encode_jpeg(pixels, quality=QUALITY, subsampling="4:2:0")
        (arguments.out / f"{name}.jpg").write_bytes(compressed)
        Image.fromarray(np.ascontiguousarray(pixels)).save(arguments.out / f"{name}.truth.png", optimize=True)
        error = np.square(decode_jpeg(compressed).astype(np.float64) - pixels).mean()
        print(f"{name}: {pixels.shape}, JPEG {10 * np.log10(255**2 / error):.2f} dB, {len(compressed)} bytes")


if __name__ == "__main__":
    main()
