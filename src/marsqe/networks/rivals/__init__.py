"""The systems that the paper compares with, in their published architectures, for training on equal terms.

None is a preset that a user can choose, and no weights of theirs are bundled. They are not told the quantization
tables: all map ``(compressed, condition)`` to the enhanced image and leave the condition aside. One that has several
outputs offers them through ``exits(compressed, condition)``, and the trainer drives all of them.
Importing this loads no torch.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from marsqe.errors import SettingError

if TYPE_CHECKING:
    from torch import nn

_MARSQE = "the MarsQE paper, Section V-C"
_CBDNET = "often quoted, first source not found; the MarsQE paper prints only ratios to it (+26.6 %, -67 %)"
_LAYERS = "counted from the layers that the paper lists"


@dataclass(frozen=True)
class Published:
    """A size that somebody else has stated.

    Attributes
    ----------
    what : {"parameters", "weights", "macs_1152x1600"}
        "weights" are parameters of convolutions without their biases.
    value : float
    relation : {"about", "below"}
    tolerance : float
        Relative, for "about".
    source : str
    channels : int
        Of the image for which the size was stated.
    """

    what: Literal["parameters", "weights", "macs_1152x1600"]
    value: float
    source: str
    relation: Literal["about", "below"] = "about"
    tolerance: float = 0.0
    channels: int = 3


@dataclass(frozen=True)
class Rival:
    """A published network to compare with.

    Attributes
    ----------
    name, title : str
        For the command line; for tables.
    paper : str
    module, network : str
        Where its class is, in this package.
    parameters, macs_1152x1600 : int
        As built here for colour, of the final output.
    published : tuple of Published
        Sizes stated elsewhere that the network is tested against.
    blind : bool or None
        Whether the paper trains one network for unknown quality; None where that could not be established. Here all
        are trained so.
    exits : int
        Number of outputs that training drives.
    """

    name: str
    title: str
    paper: str
    module: str
    network: str
    parameters: int
    macs_1152x1600: int
    published: tuple[Published, ...]
    blind: bool | None
    exits: int = 1

    def build(self, channels: int = 3, **config: Any) -> nn.Module:
        """Build the network, untrained, for images of so many channels; ``config`` departs from the paper's."""
        module = importlib.import_module(f"{__name__}.{self.module}")
        network: nn.Module = getattr(module, self.network)(channels=channels, **config)
        return network


RIVALS: Final = {
    rival.name: rival
    for rival in (
        Rival(
            "arcnn",
            "AR-CNN",
            "Dong et al., ICCV 2015",
            "arcnn",
            "ARCNN",
            parameters=117_731,
            macs_1152x1600=216_789_811_200,
            published=(Published("weights", 106_448, f"{_LAYERS}: 64(9), 32(7), 16(1), 1(5)", channels=1),),
            blind=False,
        ),
        Rival(
            "dcad",
            "DCAD",
            "Wang et al., DCC 2017",
            "dcad",
            "DCAD",
            parameters=298_947,
            macs_1152x1600=549_951_897_600,
            published=(Published("parameters", 296_641, f"{_LAYERS}: ten of 3x3, 64 features", channels=1),),
            blind=False,
        ),
        Rival(
            "dncnn",
            "DnCNN",
            "Zhang et al., TIP 2017",
            "dncnn",
            "DnCNN",
            parameters=669_379,
            macs_1152x1600=1_229_429_145_600,
            published=(Published("weights", 664_704, f"{_LAYERS}: twenty of 3x3, 64 features", channels=1),),
            blind=True,
        ),
        Rival(
            "cbdnet",
            "CBDNet",
            "Guo et al., CVPR 2019",
            "cbdnet",
            "CBDNet",
            parameters=4_365_382,
            macs_1152x1600=1_042_336_972_800,
            published=(
                Published("parameters", 4.34e6, _CBDNET, tolerance=0.01),
                Published("macs_1152x1600", 1.10e12, _MARSQE, tolerance=0.06),
            ),
            blind=True,
        ),
        Rival(
            "rbqe",
            "RBQE",
            "Xing et al., ECCV 2020",
            "rbqe",
            "RBQE",
            parameters=301_361,
            macs_1152x1600=155_388_907_200,
            published=(
                Published("parameters", 300_455, "the network that the authors released, layer by layer", channels=1),
                Published("parameters", 4.34e6, f"{_MARSQE}: fewer than CBDNet", relation="below"),
            ),
            blind=True,
            exits=5,
        ),
        Rival(
            "daqe",
            "DAQE (reconstruction)",
            "Xing et al., TPAMI 2023",
            "daqe",
            "DAQE",
            parameters=320_805,
            macs_1152x1600=193_963_396_992,
            published=(Published("parameters", 4.34e6, f"{_MARSQE}: fewer than CBDNet", relation="below"),),
            blind=None,
        ),
    )
}
"""Every rival by name, in the order of the paper's tables."""


def find_rival(name: str) -> Rival:
    """The rival of a name; raises ``SettingError`` where there is none."""
    if name not in RIVALS:
        raise SettingError(f"There is no rival '{name}'. Choose one of: {', '.join(RIVALS)}.")
    return RIVALS[name]
