"""What differs between two records of an image: the one that was written, and the one of making it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

_INFORMATIVE: Final = (
    *("versions.", "machine.", "software", "settings.device", "settings.precision", "settings.not_held"),
    *("source.name", "truth.name"),
    "enhanced_again",  # how it came about; the pixels tell whether it comes out the same at once
)
"""What may differ between two machines without making the image another one."""
_OF_REFERENCES: Final = ("references_", "dictionary_sha256")
"""The same for models that use no references."""


@dataclass(frozen=True)
class Difference:
    """One fact of the record that is another one now; None where one side lacks it.

    Attributes
    ----------
    fact : str
        Path in the record, for example "model.weights_sha256".
    recorded, found : object
    matters : bool
        False for versions and machines: pixels may still be the same.
    """

    fact: str
    recorded: Any
    found: Any
    matters: bool


def differences(record: dict[str, Any], found: dict[str, Any], *, uses_references: bool) -> tuple[Difference, ...]:
    """Facts that are other ones in two records of an image.

    Parameters
    ----------
    record, found : dict
        As it was written, and as it is made now; see :func:`marsqe.export.record.record_of`.
    uses_references : bool
        Whether the model does: for others the dictionary is no matter.
    """
    before, now = _flat(record), _flat(found)
    informative = _INFORMATIVE if uses_references else (*_INFORMATIVE, *_OF_REFERENCES)
    renamed = before.get("source.name") != now.get("source.name")
    missing = object()
    result = []
    for fact in sorted(before.keys() | now.keys()):
        if before.get(fact, missing) != now.get(fact, missing):
            # The identity comes from the name: a source that was renamed does not tell it.
            excused = fact.startswith(informative) or (renamed and fact.startswith("product."))
            result.append(Difference(fact, before.get(fact), now.get(fact), matters=not excused))
    return tuple(result)


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, dict):
            flat |= _flat(item, f"{prefix}{key}.")
        else:
            flat[prefix + key] = list(item) if isinstance(item, tuple) else item
    return flat
