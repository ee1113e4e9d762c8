"""Judge: fidelity, residual-to-raw, ΔPSNR per tile and terrain class, and further metrics with and without a truth."""

from marsqe.judgement.blocking import psnr_b, psnr_b_rgb
from marsqe.judgement.fidelity import judge, psnr, ssim
from marsqe.judgement.multiscale import ms_ssim
from marsqe.judgement.natural import NOT_COMPUTED, brisque, niqe
from marsqe.judgement.perceptual import lpips
from marsqe.judgement.rate import bd_rate, bits_per_pixel
from marsqe.judgement.residual import delta_psnr_tiles, residual

__all__ = [
    "NOT_COMPUTED",
    "bd_rate",
    "bits_per_pixel",
    "brisque",
    "delta_psnr_tiles",
    "judge",
    "lpips",
    "ms_ssim",
    "niqe",
    "psnr",
    "psnr_b",
    "psnr_b_rgb",
    "residual",
    "ssim",
]
