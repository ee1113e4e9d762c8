"""Judge: fidelity, residual-to-raw, ΔPSNR per tile and terrain class, line profiles, and further metrics."""

from marsqe.judgement.blocking import psnr_b, psnr_b_rgb
from marsqe.judgement.fidelity import judge, psnr, ssim
from marsqe.judgement.histogram import ResidualHistogram, residual_histogram
from marsqe.judgement.multiscale import ms_ssim
from marsqe.judgement.natural import NOT_COMPUTED, brisque, niqe
from marsqe.judgement.perceptual import lpips, lpips_to
from marsqe.judgement.profile import Profile, edge_width, profile
from marsqe.judgement.rate import bd_rate, bits_per_pixel
from marsqe.judgement.residual import delta_psnr_tiles, delta_psnr_where, residual
from marsqe.judgement.tiles import TileFacts, tile_facts, tile_means

__all__ = [
    "NOT_COMPUTED",
    "Profile",
    "ResidualHistogram",
    "TileFacts",
    "bd_rate",
    "bits_per_pixel",
    "brisque",
    "delta_psnr_tiles",
    "delta_psnr_where",
    "edge_width",
    "judge",
    "lpips",
    "lpips_to",
    "ms_ssim",
    "niqe",
    "profile",
    "psnr",
    "psnr_b",
    "psnr_b_rgb",
    "residual",
    "residual_histogram",
    "ssim",
    "tile_facts",
    "tile_means",
]
