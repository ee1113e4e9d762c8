"""Products of planetary archives put together by hand: PDS3 and PDS4 labels, VICAR images."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def pds3(lines: list[str], *, host: str = "", suffix: str = "") -> bytes:
    """A PDS3 label."""
    head = ["PDS_VERSION_ID = PDS3", "RECORD_TYPE = FIXED_LENGTH", host, *lines, suffix, "END", ""]
    return "\r\n".join(line for line in head if line or line is head[-1]).encode()


def image_object(samples: NDArray[Any], extra: tuple[str, ...] = ()) -> list[str]:
    kind = {"u": "MSB_UNSIGNED_INTEGER", "i": "MSB_INTEGER", "f": "IEEE_REAL"}[samples.dtype.kind]
    bands, height, width = samples.shape
    return [
        "OBJECT = IMAGE",
        f"LINES = {height}",
        f"LINE_SAMPLES = {width}",
        f"SAMPLE_TYPE = {kind}",
        f"SAMPLE_BITS = {8 * samples.dtype.itemsize}",
        f"BANDS = {bands}",
        "BAND_STORAGE_TYPE = BAND_SEQUENTIAL",
        *extra,
        "END_OBJECT = IMAGE",
    ]


def attached(samples: NDArray[Any], extra: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> bytes:
    """A PDS3 product with its label in front of the samples."""
    pointers = ["RECORD_BYTES = 2048", "^IMAGE = 2"]
    return pds3([*pointers, *groups, *image_object(samples, extra)]).ljust(2048) + samples.tobytes()


def pds4(name: str, samples: NDArray[Any], onboard: str = "") -> bytes:
    """A PDS4 label."""
    kind = {(1, "u"): "UnsignedByte", (2, "u"): "UnsignedMSB2", (2, "i"): "SignedMSB2"}
    axes = "".join(
        f"<Axis_Array><axis_name>{axis}</axis_name><elements>{count}</elements>"
        f"<sequence_number>{number}</sequence_number></Axis_Array>"
        for number, (axis, count) in enumerate(zip(("Band", "Line", "Sample"), samples.shape, strict=True), 1)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Product_Observational xmlns="http://pds.nasa.gov/pds4/pds/v1" xmlns:img="http://pds.nasa.gov/pds4/img/v1">
<Identification_Area><logical_identifier>urn:nasa:pds:t:d:x</logical_identifier><version_id>1.0</version_id>
<title>t</title><information_model_version>1.15.0.0</information_model_version>
<product_class>Product_Observational</product_class></Identification_Area>
<Observation_Area><Discipline_Area>{onboard}</Discipline_Area></Observation_Area>
<File_Area_Observational><File><file_name>{name}</file_name></File><Array_3D_Image>
<local_identifier>scene</local_identifier><offset unit="byte">0</offset><axes>3</axes>
<axis_index_order>Last Index Fastest</axis_index_order><Element_Array>
<data_type>{kind[samples.dtype.itemsize, samples.dtype.kind]}</data_type></Element_Array>{axes}
</Array_3D_Image></File_Area_Observational></Product_Observational>""".encode()


def vicar(samples: NDArray[Any], *, order: str = "BSQ", high: bool = True, prefix: int = 0, headers: int = 0) -> bytes:
    """A VICAR image of (band, line, sample), with ``prefix`` bytes before each record and ``headers`` records."""
    bands, height, width = samples.shape
    code = {1: "BYTE", 2: "HALF", 4: "REAL"}[samples.dtype.itemsize]
    axes = {"BSQ": (0, 1, 2), "BIL": (1, 0, 2), "BIP": (1, 2, 0)}[order]
    stored = samples.astype(samples.dtype.newbyteorder(">" if high else "<")).transpose(axes)
    rows = stored.reshape(stored.shape[0] * stored.shape[1], -1)
    record = prefix + stored.shape[2] * samples.dtype.itemsize
    size = -(-900 // record) * record
    label = (
        f"LBLSIZE={size}  FORMAT='{code}'  TYPE='IMAGE'  RECSIZE={record}  ORG='{order}'  NL={height}  NS={width}  "
        f"NB={bands}  NBB={prefix}  NLB={headers}  INTFMT='{'HIGH' if high else 'LOW'}'  COMPRESS='NONE'  "
        "PROPERTY='IMAGE_REQUEST_PARMS'  INST_CMPRS_NAME='JPEG'  INST_CMPRS_QUALITY=50  "
        "PROPERTY='COMPRESSION_PARMS'  INST_CMPRS_NAME='LOCO'  TASK='MARSFIX'  USER='it''s me'"
    )
    body = b"".join(b"\xee" * prefix + row.tobytes() for row in rows)
    return label.encode().ljust(size, b"\0") + b"\xdd" * record * headers + body
