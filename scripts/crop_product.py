"""Cut a rover's PDS3 product (attached label, VICAR header, samples) down to a small one that is valid again.

The test suite's crops were made with it: ``python scripts/crop_product.py SOURCE X Y WIDTH HEIGHT FOLDER``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np

# Of the whole image, so no longer true of a part of it.
STATISTICS = "CHECKSUM|MAXIMUM|MEAN|MEDIAN|MINIMUM|STANDARD_DEVIATION"


def number(label: str, name: str) -> int:
    """Value of a field of the label."""
    found = re.search(rf"^\s*{re.escape(name)}\s*=\s*(\d+)", label, re.MULTILINE)
    assert found is not None, name
    return int(found[1])


def put(label: str, name: str, value: int) -> str:
    """The label with another value of a field."""
    return re.sub(rf"(?m)^(\s*{re.escape(name)}\s*=\s*)\d+", rf"\g<1>{value}", label, count=1)


def crop(data: bytes, x: int, y: int, width: int, height: int) -> bytes:
    """The product cut down."""
    record = number(data[:4000].decode("latin-1"), "RECORD_BYTES")
    text = data[:8000].decode("latin-1")
    header_at, image_at = ((number(text, name) - 1) * record for name in ("^IMAGE_HEADER", "^IMAGE"))
    label = data[: number(text, "LABEL_RECORDS") * record].decode("latin-1").rstrip("\0 ")
    begin, end = re.search(r"OBJECT\s*=\s*IMAGE\r?\n", label), re.search(r"END_OBJECT\s*=\s*IMAGE\r?\n", label)
    assert begin is not None and end is not None
    image = label[begin.start() : end.end()]
    bands, kind = number(image, "BANDS"), f">u{number(image, 'SAMPLE_BITS') // 8}"
    shape = (bands, number(image, "LINES"), number(image, "LINE_SAMPLES"))
    samples = np.frombuffer(data, kind, int(np.prod(shape)), image_at).reshape(shape)
    part = samples[:, y : y + height, x : x + width].tobytes()
    row = width * samples.itemsize

    for name, value in (("LINES", height), ("LINE_SAMPLES", width)):
        image = put(image, name, value)
    image = re.sub(rf"(?m)^\s*(?:{STATISTICS})\s*=.*\r?\n", "", image)
    vicar = data[header_at:image_at].decode("latin-1").rstrip("\0 ")
    header_records = -(-len(vicar) // row)
    sizes = {"LBLSIZE": header_records * row, "RECSIZE": row, "BUFSIZ": row, "NL": height, "NS": width}
    for name, value in (sizes | {"N1": width, "N2": height}).items():
        vicar = re.sub(rf"\b{name}=(\d+)", lambda m, v=value: f"{m[0].split('=')[0]}={v:<{len(m[1])}}", vicar, count=1)

    label = label[: begin.start()] + image + label[end.end() :]
    # Eight bytes to spare, for numbers that get more digits.
    label_records = -(-(len(label) + 8) // row)
    pointers = {
        "RECORD_BYTES": row,
        "FILE_RECORDS": label_records + header_records + bands * height,
        "LABEL_RECORDS": label_records,
        "^IMAGE_HEADER": label_records + 1,
        "^IMAGE": label_records + header_records + 1,
    }
    for name, value in pointers.items():
        label = put(label, name, value)
    assert len(label) <= label_records * row
    return (
        label.ljust(label_records * row).encode("latin-1")
        + vicar.ljust(header_records * row, "\0").encode("latin-1")
        + part
    )


def main() -> None:
    """Command line."""
    source, *numbers, folder = sys.argv[1:]
    x, y, width, height = map(int, numbers)
    path = Path(source)
    (Path(folder) / path.name).write_bytes(crop(path.read_bytes(), x, y, width, height))


if __name__ == "__main__":
    main()
