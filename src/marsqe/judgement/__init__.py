"""Judge: fidelity, residual-to-raw and ΔPSNR per tile and terrain class."""

from marsqe.judgement.fidelity import judge, psnr, ssim
from marsqe.judgement.residual import delta_psnr_tiles, residual

__all__ = ["delta_psnr_tiles", "judge", "psnr", "residual", "ssim"]
