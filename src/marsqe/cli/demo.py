"""The main job on a bundled sample."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace

import marsqe
from marsqe.cli.commands import shares_in_words
from marsqe.cli.output import Outcome, emit, follow, say
from marsqe.errors import ExportError
from marsqe.export.report import write_report
from marsqe.samples import SAMPLES, get_sample, sample_path


def run_demo(arguments: Namespace) -> int:
    """Enhance a sample, judge it by its truth, write TIFF and report, and open napari if asked."""
    sample = get_sample(arguments.sample or SAMPLES[0].name)
    compressed, truth = sample_path(sample.name), sample_path(sample.name, "truth")
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"cannot make the folder {arguments.out}: {error.strerror or error}") from error
    image, raw = marsqe.open_image(compressed), marsqe.open_image(truth)
    result = follow(marsqe.enhance_steps(image, device=arguments.device, parts=False), sample.name)
    judgement = marsqe.judge(result.pixels, raw, compressed=image.pixels, terrain=result.terrain)
    tiff = result.save(arguments.out / f"{sample.name}_enhanced.tif")
    report = write_report(result, judgement, arguments.out / f"{sample.name}_report.html", title=sample.title)
    record = {
        "input": str(compressed),
        "output": str(tiff),
        "report": str(report),
        **judgement.as_record(),
        "terrain": result.terrain.shares(),
        "seconds": round(result.seconds, 2),
    }

    def line(r: dict[str, object]) -> str:
        gain, m = judgement.metrics["delta_psnr"], judgement.metrics
        return "\n".join(
            [
                f"{sample.title} ({sample.mission})",
                f"    {image.compression.summary()}; {shares_in_words(result.terrain.shares())}",
                f"    {gain:+.2f} dB closer to the truth: {m['psnr_compressed']:.2f} -> {m['psnr_enhanced']:.2f} dB",
                f"    enhanced image: {tiff}",
                f"    report:         {report}",
            ]
        )

    code = emit(Outcome([record]), arguments.json, line)
    if arguments.open:
        say("opening napari (close its window to end) ...")
        command = [sys.executable, "-m", "napari_marsqe.open_result", str(compressed), "--truth", str(truth)]
        return subprocess.run(command, check=False).returncode
    return code
