"""References as a network sees them: those that are needed, encoded once for a compression, and kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from marsqe.colour import as_rgb
from marsqe.image import Compression
from marsqe.matching.dictionary import Dictionary

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from marsqe.networks.texture import EncodedReference

_MOST: Final = 32
"""References that are kept encoded, some megabytes each."""
_BATCH: Final = 6
"""References encoded at once: their features would else need more memory than the image's."""


Place = tuple[int, int]
"""Class of a reference, and its number within the class."""


@dataclass(frozen=True)
class EncodedReferences:
    """References of a dictionary at every level, and which they are."""

    dictionary: Dictionary
    levels: list[EncodedReference]
    places: dict[Place, int]

    def of(self, tiles: Sequence[Place]) -> list[EncodedReference]:
        """The reference of each tile, at every level."""
        import torch

        numbers = [self.places[place] for place in tiles]
        index = torch.tensor(numbers, dtype=torch.int64, device=self.levels[0].keys.device)
        return [level.select(index) for level in self.levels]


_last: WeakKeyDictionary[nn.Module, tuple[Any, EncodedReferences]] = WeakKeyDictionary()
"""What each network encoded last: images that were compressed alike follow one another, and tiles are done again."""


def encoded_references(
    network: nn.Module,
    dictionary: Dictionary,
    needed: Iterable[Place],
    compression: Compression,
    condition: Tensor,
    precision: str = "auto",
    *,
    colour: bool,
) -> EncodedReferences:
    """Encode references and their twins of a compression with ``network.encode_references``.

    The last result of a network is kept and added to, as long as its weights stay the same and it holds no more than
    ``_MOST``; ``condition`` (1, 12) is what the network is told of the compression.
    """
    import torch

    from marsqe.networks.texture import EncodedReference

    tables = None if compression.tables is None else tuple(t.tobytes() for t in compression.tables)
    told = (condition.cpu().numpy().tobytes(), str(condition.device), precision)
    weights = sum(p._version for p in network.parameters())  # every change in place counts it up
    key = (weights, tables, compression.quality, compression.subsampling, colour, *told)
    wanted = set(needed)
    known = _known(network, key, dictionary, wanted)
    if known is not None and wanted <= known.places.keys():
        return known
    _last.pop(network, None)  # where it does not serve, its memory is wanted for what does
    missing = sorted(wanted - (known.places.keys() if known else set()))
    parts = [known.levels] if known else []
    parts += _encode(network, dictionary, missing, compression, condition, colour)
    levels = [EncodedReference(*map(torch.cat, zip(*level, strict=True))) for level in zip(*parts, strict=True)]
    places = [*(known.places if known else ()), *missing]
    found = EncodedReferences(dictionary, levels, {place: n for n, place in enumerate(places)})
    _last[network] = (key, found)
    return found


def _known(network: nn.Module, key: Any, dictionary: Dictionary, wanted: set[Place]) -> EncodedReferences | None:
    """What was encoded last, where it serves and may be added to."""
    last_key, last = _last.get(network, (None, None))
    if last is None or last_key != key or last.dictionary is not dictionary:
        return None
    return last if len(wanted | last.places.keys()) <= _MOST else None


def _encode(
    network: Any,
    dictionary: Dictionary,
    places: Sequence[Place],
    compression: Compression,
    condition: Tensor,
    colour: bool,
) -> Iterator[list[EncodedReference]]:
    labels = {label for label, _ in places}
    raw = {label: dictionary.raw(label, colour=colour) for label in labels}
    twins = {label: dictionary.compressed(label, compression, colour=colour) for label in labels}
    for start in range(0, len(places), _BATCH):
        batch = places[start : start + _BATCH]
        first, second = (_planes([as_rgb(kind[k][i]) for k, i in batch], condition.device) for kind in (raw, twins))
        yield network.encode_references(first, second, condition.expand(len(batch), -1))


def _planes(patches: list[NDArray[np.uint8]], device: torch.device) -> Tensor:
    import torch

    return torch.from_numpy(np.stack(patches).transpose(0, 3, 1, 2).copy()).float().div(255).to(device)
