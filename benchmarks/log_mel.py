"""The log-mel of 30 s on one core: ours, librosa, audioFlux, and the Fourier transform alone."""

from __future__ import annotations

import statistics
import sys
from typing import Any

from benchmarks.measure import ONE_THREAD, in_turn, main_of, process

RUNS = 41


def report(data: str) -> str:
    """Measure on up to five clips of DATA, and return the section of the page."""
    rows = [process("benchmarks.log_mel", "clip", data, str(number), environment=ONE_THREAD) for number in range(5)]
    names = list(rows[0]["seconds"])
    lines = [
        "## Log-mel, one core, 30 s at 22,050 Hz",
        "",
        "Five clips; for each the median of 41 interleaved runs. A ratio is a peer's time over ours, run by run:",
        "median, and lowest to highest of the five clips' medians. `FFT alone` only transforms frames that are already",
        "windowed. librosa and genrescope agree within 1e-3; audioFlux computes different values.",
        "",
        "| | median, ms | ratio to genrescope | lowest to highest clip |",
        "|---|---|---|---|",
    ]
    for name in names:
        ratios = [row["ratios"][name] for row in rows]
        time = statistics.median(row["seconds"][name] for row in rows)
        lines.append(
            f"| {name} | {1e3 * time:.2f} | {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |"
        )
    inverse = [1 / row["ratios"]["FFT alone"] for row in rows]
    lines += [
        "",
        f"genrescope takes {statistics.median(inverse):.2f} times as long as the FFT alone "
        f"({min(inverse):.2f} to {max(inverse):.2f}); largest difference from librosa in double precision: "
        f"{max(row['difference'] for row in rows):.1e}.",
    ]
    return "\n".join(lines)


def clip(data: str, number: str) -> dict[str, Any]:
    """Measure on one clip."""
    import audioflux
    import librosa
    import numpy as np
    import torch

    from genrescope import LogMel, decode
    from genrescope.sources.data import read_data

    torch.set_num_threads(1)
    tracks = read_data(data)[1]
    track = tracks[int(number) * len(tracks) // 5]
    wave = np.resize(decode(track.path), 30 * 22_050)
    batch, log_mel = torch.from_numpy(wave)[None], LogMel()
    flux = audioflux.BFT(
        num=128,
        radix2_exp=11,
        samplate=22_050,
        low_fre=0,
        high_fre=11_025,
        slide_length=512,
        window_type=audioflux.type.WindowType.HAMM,
        scale_type=audioflux.type.SpectralFilterBankScaleType.MEL,
        style_type=audioflux.type.SpectralFilterBankStyleType.SLANEY,
        normal_type=audioflux.type.SpectralFilterBankNormalType.BAND_WIDTH,
        data_type=audioflux.type.SpectralDataType.POWER,
    )
    padded = torch.nn.functional.pad(batch[0], (1024, 1024))
    frames = (padded.unfold(0, 2048, 512) * torch.hamming_window(2048)).contiguous()
    compared = in_turn(
        {
            "genrescope": lambda: log_mel(batch),
            "librosa": lambda: np.log(librosa.feature.melspectrogram(y=wave, sr=22_050, window="hamming") + 1e-6),
            "audioFlux": lambda: np.log(flux.bft(wave, result_type=1) + 1e-6),
            "FFT alone": lambda: torch.fft.rfft(frames),
        },
        runs=RUNS,
        warm_up=3,
    )
    exact = librosa.feature.melspectrogram(y=wave.astype(np.float64), sr=22_050, window="hamming")
    return {
        "seconds": {name: compared.median(name) for name in compared.seconds},
        "ratios": {name: statistics.median(compared.ratios(name)) for name in compared.seconds},
        "difference": float(np.abs(log_mel(batch)[0].numpy().T - np.log(exact + 1e-6)).max()),
    }


if __name__ == "__main__":
    main_of({"clip": clip}, sys.argv[1:])
