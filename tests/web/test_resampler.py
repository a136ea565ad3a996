import math

import numpy as np
import pytest

from tests.browser import chromium_page, needs_chromium
from tests.web.fake_server import FakeServer

pytestmark = [pytest.mark.browser, needs_chromium]

RESAMPLE = """async ([rate, hertz]) => {
  const { Resampler } = await import("/sdk/resampler.js");
  const resampler = new Resampler(rate, 24000);
  const output = [];
  // The audio thread hands over 128 samples at a time.
  for (let start = 0; start + 128 <= rate; start += 128) {
    const sample = (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * (start + i)) / rate);
    const piece = Float32Array.from({ length: 128 }, sample);
    resampler.push(piece, (made) => output.push(made));
  }
  return output;
}"""


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 96_000])
async def test_a_tone_keeps_its_pitch_and_strength_and_what_cannot_be_kept_is_removed(
    server: FakeServer, rate: int
) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(server.page())
        kept = np.array(await browser.page.evaluate(RESAMPLE, [rate, 1000]))
        removed = np.array(await browser.page.evaluate(RESAMPLE, [rate, 15_000])) if rate > 30_000 else None
    assert len(kept) == pytest.approx(24_000, abs=200)
    middle = kept[4000:16_000]
    times = np.arange(len(middle)) / 24_000
    basis = np.stack([np.sin(2 * np.pi * 1000 * times), np.cos(2 * np.pi * 1000 * times)])
    fit = np.linalg.lstsq(basis.T, middle, rcond=None)[0]
    error = middle - fit @ basis
    assert math.hypot(*fit) == pytest.approx(0.5, rel=0.01)
    assert np.std(error) < 0.5e-3
    if removed is not None:
        assert np.max(np.abs(removed[4000:16_000])) < 0.5e-2
