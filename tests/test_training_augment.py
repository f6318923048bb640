"""Each change does to a window what it says, alone; what is off does nothing, and the same draws do the same."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from conftest import tone
from hypothesis import given
from hypothesis import strategies as st

from genrescope.features.logmel import LogMel, mel_centres
from genrescope.features.spec import LogMelSpec
from genrescope.training.augment import Augment, Draws, _beta
from genrescope.training.recipe_sections import AugmentSection

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

SPEC = LogMelSpec()
CENTRES = mel_centres(SPEC)
EVERYTHING: dict[str, float] = {
    "semitones": 2.0, "equaliser_db": 3.0, "low_pass": 0.5, "noise": 0.5,
    "time_mask": 0.2, "frequency_mask": 0.2, "mixup": 0.4,
}  # fmt: skip
DRAWN = {
    "semitones": "transpose", "low_pass": "cut", "noise": "noise",
    "time_mask": "time_masks", "frequency_mask": "frequency_masks", "mixup": "share",
}  # fmt: skip
"""Which of the draws a setting decides alone."""


def source(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def augment(**on: float) -> Augment:
    return Augment(AugmentSection(**on), SPEC)


def drawn(count: int, its: Augment | None = None, seed: int = 0) -> Draws:
    return (its or augment()).draw(count, source(seed))


def neutral(count: int, **changes: Any) -> Draws:
    """Return draws that change nothing but what is given."""
    return dataclasses.replace(drawn(count), **changes)


def log_mels(count: int = 4, *, frames: int = 128, seed: int = 0) -> Tensor:
    """Return windows from far above the floor down into it, float32 (count, 1, 128, frames)."""
    rng = np.random.default_rng(seed)
    power = 10 ** rng.uniform(-9, 1, (count, 1, 128, frames))
    return torch.from_numpy(np.log(power + SPEC.floor)).float()


def genres(count: int, of: int = 2) -> Tensor:
    return torch.nn.functional.one_hot(torch.arange(count) % of, of).float()


def power(images: Tensor) -> npt.NDArray[np.float64]:
    """Return what stands above the floor, in double precision."""
    found: npt.NDArray[np.float64] = np.exp(images.double().numpy()) - SPEC.floor
    return found


def in_logarithm(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.log(np.maximum(levels, 0) + SPEC.floor)


def close(found: Tensor, expected: npt.NDArray[np.float64], within: float = 1e-4) -> None:
    np.testing.assert_allclose(found.double().numpy(), expected, rtol=0, atol=within)


# -- nothing, twice, and apart ------------------------------------------------------------------------------------


def test_what_is_off_leaves_every_bit() -> None:
    images, labels = log_mels(), genres(4)
    off = augment()
    changed, told = off.apply(images.clone(), labels.clone(), off.draw(4, source(5)))
    assert torch.equal(changed, images)
    assert torch.equal(told, labels)


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_change_that_drew_nothing_leaves_the_window(name: str) -> None:
    its = augment(**{name: EVERYTHING[name]})
    images = log_mels(frames=100)
    changed, labels = its.apply(images, genres(4), neutral(4))
    close(changed, images[..., :100].double().numpy())
    assert torch.equal(labels, genres(4))


@given(seed=st.integers(0, 1000), on=st.sets(st.sampled_from(sorted(EVERYTHING))))
def test_the_same_draws_give_the_same_batch(seed: int, on: set[str]) -> None:
    its = augment(**{name: EVERYTHING[name] for name in on})
    images = log_mels(5, frames=40, seed=seed)
    before = images.clone()
    first, second = (its.apply(images, genres(5), its.draw(5, source(seed))) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert torch.equal(images, before)  # what was given is not written to


@given(seed=st.integers(0, 1000), on=st.sets(st.sampled_from(sorted(EVERYTHING))))
def test_draws_do_not_depend_on_what_else_is_on(seed: int, on: set[str]) -> None:
    all_of_them, some = source(seed), source(seed)
    everything = augment(**EVERYTHING).draw(6, all_of_them)
    found = augment(**{name: EVERYTHING[name] for name in on}).draw(6, some)
    for name in on & DRAWN.keys():
        assert torch.equal(getattr(found, DRAWN[name]), getattr(everything, DRAWN[name]))
    assert torch.equal(found.partner, everything.partner)
    assert torch.equal(all_of_them.get_state(), some.get_state())  # so the next batch's do not either


@given(
    seed=st.integers(0, 10_000),
    frames=st.integers(3, 70),
    count=st.integers(1, 5),
    settings=st.fixed_dictionaries({name: st.sampled_from([0.0, value]) for name, value in EVERYTHING.items()}),
    level=st.sampled_from([-13.8155, -13.0, -3.0, 6.0]),
)
def test_whatever_is_drawn_windows_stay_windows(
    seed: int, frames: int, count: int, settings: dict[str, float], level: float
) -> None:
    its = augment(**settings)
    images = log_mels(count, frames=frames, seed=seed)
    images[0] = level  # one window is all the same, silence among others
    changed, labels = its.apply(images, genres(count), its.draw(count, source(seed)))
    assert changed.shape == (count, 1, 128, frames)
    assert changed.dtype == labels.dtype == torch.float32
    assert changed.isfinite().all()
    assert float(changed.min()) >= SPEC.silence - 1e-3
    assert (labels >= 0).all()
    torch.testing.assert_close(labels.sum(dim=1), torch.ones(count))


# -- equaliser, low-pass, noise ----------------------------------------------------------------------------


@given(decibels=st.floats(-30, 30), seed=st.integers(0, 100))
def test_a_level_curve_adds_its_decibels_of_power_also_near_the_floor(decibels: float, seed: int) -> None:
    images = log_mels(2, frames=20, seed=seed)
    changed, _ = augment(equaliser_db=30).apply(images, genres(2), neutral(2, curve=torch.full((2, 6), decibels)))
    close(changed, in_logarithm(power(images) * 10 ** (decibels / 10)))


def test_the_equaliser_leaves_silence_silent() -> None:
    silence = torch.full((1, 1, 128, 10), SPEC.silence)
    changed, _ = augment(equaliser_db=30).apply(silence, genres(1), neutral(1, curve=torch.full((1, 6), 30.0)))
    close(changed, silence.double().numpy(), within=1e-3)


def test_the_equalisers_knots_spread_as_asked() -> None:
    assert float(drawn(4000, augment(equaliser_db=3)).curve.std()) == pytest.approx(3, rel=0.05)


def test_the_equaliser_runs_straight_between_knots_that_stand_evenly_over_the_bands() -> None:
    images, curve = log_mels(2), torch.tensor([[0.0, 6, -6, 3, 12, -12], [1.0, 2, 3, 4, 5, 6]])
    changed, _ = augment(equaliser_db=3).apply(images, genres(2), neutral(2, curve=curve))
    knots = np.linspace(0, 127, 6)
    at = np.stack([np.interp(np.arange(128), knots, row) for row in curve.numpy()])
    close(changed, in_logarithm(power(images) * 10 ** (at / 10)[:, None, :, None]))


@pytest.mark.parametrize("cut", [2_000.0, 5_123.0, 11_000.0])
def test_low_pass_takes_what_is_above_the_cut_and_leaves_what_is_below(cut: float) -> None:
    images = log_mels(2)
    draws = neutral(2, cut=torch.tensor([cut, float("inf")]))
    changed, _ = augment(low_pass=1).apply(images, genres(2), draws)
    below, above = torch.from_numpy(cut >= CENTRES), torch.from_numpy(cut < CENTRES)
    assert below.any()
    close(changed[0, :, below], images[0, :, below].double().numpy())
    close(changed[0, :, above], in_logarithm(1e-6 * power(images[0, :, above])))
    close(changed[1], images[1].double().numpy())


@pytest.mark.parametrize(
    ("name", "field", "ends"),
    [
        ("low_pass", "cut", (2_000, 11_025)),
        ("noise", "noise", (-40, -10)),
    ],
)
def test_some_windows_are_changed_as_many_as_was_asked(name: str, field: str, ends: tuple[float, float]) -> None:
    values = getattr(drawn(4000, augment(**{name: 0.3})), field)
    chosen = values[values.isfinite()]
    assert len(chosen) / 4000 == pytest.approx(0.3, abs=0.03)
    assert ends[0] <= float(chosen.min()) < ends[0] + 0.05 * (ends[1] - ends[0])
    assert ends[1] - 0.05 * (ends[1] - ends[0]) < float(chosen.max()) <= ends[1] * (1 + 1e-6 * (ends[1] > 0))
    assert getattr(drawn(50, augment(**{name: 1.0})), field).isfinite().all()


@pytest.mark.parametrize("decibels", [-10.0, -25.0, -40.0])
def test_noise_has_the_power_it_should_in_every_band(decibels: float) -> None:
    images = log_mels(2)
    changed, _ = augment(noise=1).apply(images, genres(2), neutral(2, noise=torch.tensor([decibels, -float("inf")])))
    added = 10 ** (decibels / 10) * power(images[0]).mean()
    close(changed[0], in_logarithm(power(images[0]) + added))
    close(changed[1], images[1].double().numpy())


# -- pitch ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("semitones", [-3.0, -1.0, 0.5, 2.0, 4.0])
@pytest.mark.parametrize("hz", [440.0, 1_500.0, 3_000.0])
def test_semitones_move_a_tone_to_the_band_of_its_new_frequency(hz: float, semitones: float) -> None:
    def heard(frequency: float) -> Tensor:
        levels: Tensor = LogMel(SPEC)(torch.from_numpy(tone(frequency, seconds=0.5))[None])
        return levels.transpose(1, 2)[:, None]

    ratio = 2 ** (semitones / 12)
    draws = neutral(1, transpose=torch.tensor([ratio]))
    changed, _ = augment(semitones=4).apply(heard(hz), genres(1), draws)
    highest = int(changed[0, 0].mean(dim=1).argmax())
    assert abs(highest - int(heard(hz * ratio)[0, 0].mean(dim=1).argmax())) <= 1
    assert CENTRES[highest] == pytest.approx(hz * ratio, rel=0.04)


def test_transposing_leaves_time() -> None:
    changing = torch.linspace(-12, 3, 90)[None, None, None, :].expand(2, 1, 128, 90)
    changed, _ = augment(semitones=3).apply(changing, genres(2), neutral(2, transpose=torch.tensor([0.85, 1.18])))
    close(changed, changing.double().numpy())


def test_pitch_is_drawn_evenly_either_way() -> None:
    moved = 12 * drawn(4000, augment(semitones=2)).transpose.log2()
    assert float(moved.mean()) == pytest.approx(0, abs=0.1)
    assert 1.95 < float(moved.abs().max()) <= 2 + 1e-5


# -- masks ------------------------------------------------------------------------------------------------------------


@given(share=st.floats(0.01, 0.99), seed=st.integers(0, 1000))
def test_masks_lie_inside_and_are_at_most_as_long_as_was_asked(share: float, seed: int) -> None:
    for masks in (
        drawn(8, augment(time_mask=share), seed).time_masks,
        drawn(8, augment(frequency_mask=share), seed).frequency_masks,
    ):
        assert masks.shape == (8, 2, 2)
        assert (masks >= 0).all()
        assert (masks[..., 1] <= share).all()
        assert (masks.sum(dim=2) <= 1 + 1e-6).all()


@given(share=st.floats(0.01, 0.9), seed=st.integers(0, 1000), frames=st.integers(5, 90))
def test_masks_blank_whole_stretches_with_the_mean_and_leave_the_rest(share: float, seed: int, frames: int) -> None:
    images = log_mels(3, frames=frames, seed=seed)
    for name, dim in (("time_mask", 3), ("frequency_mask", 2)):
        its = augment(**{name: share})
        changed, _ = its.apply(images, genres(3), its.draw(3, source(seed)))
        size = images.shape[dim]
        for before, after in zip(images[:, 0], changed[:, 0], strict=True):
            lines = (before != after).any(dim=3 - dim if dim == 3 else 1)
            blank, kept = (after.T if dim == 3 else after)[lines], (after.T if dim == 3 else after)[~lines]
            assert torch.equal(kept, (before.T if dim == 3 else before)[~lines])
            torch.testing.assert_close(blank, before.mean().expand_as(blank))
            assert int(lines.sum()) <= 2 * (share * size + 1)


def test_a_mask_covers_the_frames_it_names() -> None:
    images = log_mels(1, frames=100)
    masks = torch.tensor([[[0.1, 0.2], [0.5, 0.05]]])
    changed, _ = augment(time_mask=0.2).apply(images, genres(1), neutral(1, time_masks=masks))
    assert (changed != images).any(dim=2).flatten().nonzero().flatten().tolist() == [*range(10, 30), *range(50, 55)]


# -- mixup ------------------------------------------------------------------------------------------------------------


@given(shares=st.lists(st.floats(0.5, 1), min_size=4, max_size=4), order=st.permutations(range(4)))
def test_windows_and_labels_are_mixed_by_the_same_share(shares: list[float], order: list[int]) -> None:
    images, labels, share = log_mels(frames=20), genres(4, of=3), torch.tensor(shares)
    changed, told = augment(mixup=1).apply(images, labels, neutral(4, share=share, partner=torch.tensor(order)))
    for number in range(4):
        own, other = share[number].item(), 1 - share[number].item()
        mixed = own * images[number].double() + other * images[order[number]].double()
        close(changed[number], mixed.numpy(), within=1e-5)
        close(told[number], (own * labels[number] + other * labels[order[number]]).double().numpy(), within=1e-6)
    torch.testing.assert_close(told.sum(dim=1), torch.ones(4))


@pytest.mark.parametrize("parameter", [0.05, 0.2, 0.5, 1.0, 3.0, 20.0, 600.0])
def test_shares_are_of_the_beta_distribution_folded_to_the_larger_half(parameter: float) -> None:
    rng, at = np.random.default_rng(0), np.linspace(0.005, 0.995, 199)
    sample = rng.beta(parameter, parameter, 200_000)
    expected = np.quantile(np.maximum(sample, 1 - sample), 1 - at)
    found = _beta(parameter, torch.from_numpy(at).float())
    assert ((found >= 0.5) & (found <= 1)).all()
    np.testing.assert_allclose(found.double().numpy(), expected, atol=0.01)
