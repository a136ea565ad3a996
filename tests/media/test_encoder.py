import random
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import libopus
from tests.media.scene import portrait, speech
from visavis.media.encoder import AUDIO_PACKET, OpusEncoder, VideoCodec, VideoEncoder, available, open_video
from visavis.speech.ports import Pcm16

SIZE = 256
CODECS = [
    pytest.param(codec, marks=pytest.mark.skipif(not available(codec), reason=f"PyAV has no {codec} encoder"))
    for codec in VideoCodec
]


def encoder(codec: VideoCodec, *, bitrate: int = 300_000, floor: int = 50_000, ceiling: int = 900_000) -> VideoEncoder:
    return open_video(codec, SIZE, SIZE, 25, bitrate=bitrate, floor=floor, ceiling=ceiling)


def decode(codec: VideoCodec, packets: list[bytes]) -> list[NDArray[np.uint8]]:
    context: Any = av.CodecContext.create({VideoCodec.H264: "h264", VideoCodec.VP8: "vp8"}[codec], "r")
    frames = [frame for data in packets for frame in context.decode(av.Packet(data))]
    return [frame.to_ndarray() for frame in [*frames, *context.decode(None)]]


def encode(
    this: VideoEncoder, frames: NDArray[np.uint8], count: int, *, start: int = 0, keyframes: tuple[int, ...] = ()
) -> list[tuple[bytes, bool]]:
    out: list[tuple[bytes, bool]] = []
    for index in range(start, start + count):
        this.buffer[:] = frames[index % len(frames)]
        out.append(this.encode(index * 3600, index in keyframes))
    return out


def psnr(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize("codec", CODECS)
def test_pictures_survive(codec: VideoCodec) -> None:
    this = encoder(codec)
    frames = portrait(SIZE)
    packets = encode(this, frames, 50)
    this.close()
    pictures = decode(codec, [data for data, _ in packets])
    assert len(pictures) == 50, "every picture comes out, none late"
    for index in (0, 25, 49):
        assert psnr(pictures[index][:SIZE], frames[index][:SIZE]) > 34


@pytest.mark.parametrize("codec", CODECS)
def test_the_first_picture_is_a_keyframe_and_further_ones_come_on_request(codec: VideoCodec) -> None:
    this = encoder(codec)
    packets = encode(this, portrait(SIZE), 60, keyframes=(40,))
    assert [index for index, (_, key) in enumerate(packets) if key] == [0, 40]
    # From a keyframe on a receiver can begin.
    assert len(decode(codec, [data for data, _ in packets[40:]])) == 20


@pytest.mark.parametrize("codec", CODECS)
def test_the_bitrate_follows_what_is_aimed_at(codec: VideoCodec) -> None:
    grainy = portrait(SIZE, 6.0)
    this = encoder(codec, bitrate=600_000)

    def kbit(start: int) -> float:
        """The rate over 4 s, after 2 s of settling."""
        encode(this, grainy, 50, start=start)
        return sum(len(data) for data, _ in encode(this, grainy, 100, start=start + 50)) * 8 / 4 / 1000

    fast = kbit(0)
    this.aim(200_000)
    slow = kbit(150)
    this.aim(500_000)
    again = kbit(300)
    assert 450 < fast < 720
    assert 130 < slow < 260
    assert 350 < again < 620


@pytest.mark.skipif(not available(VideoCodec.H264), reason="PyAV has no x264")
def test_h264_changes_its_rate_without_a_keyframe() -> None:
    this = encoder(VideoCodec.H264)
    frames = portrait(SIZE, 3.0)
    packets: list[tuple[bytes, bool]] = []
    for step, bitrate in enumerate((300_000, 120_000, 800_000, 200_000)):
        this.aim(bitrate)
        packets += encode(this, frames, 25, start=step * 25)
    assert sum(key for _, key in packets) == 1


@pytest.mark.skipif(not available(VideoCodec.H264), reason="PyAV has no x264")
def test_h264_is_constrained_baseline() -> None:
    (data, _), *_ = encode(encoder(VideoCodec.H264), portrait(SIZE), 1)
    sps = data[data.index(b"\x00\x00\x01\x67") + 4 :]
    assert sps[0] == 66, "profile_idc: baseline"
    assert sps[1] & 0x40, "constraint_set1_flag: constrained"


@pytest.mark.skipif(not available(VideoCodec.H264), reason="PyAV has no x264")
def test_h264_says_how_its_colours_are_meant() -> None:
    """Browsers would guess, and by the picture's height: another one would have other colours."""
    ((data, _),) = encode(encoder(VideoCodec.H264), portrait(SIZE), 1)
    context: Any = av.CodecContext.create("h264", "r")
    (frame,) = [*context.decode(av.Packet(data)), *context.decode(None)]
    smpte_170m, limited = 6, 1
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (smpte_170m,) * 3
    assert frame.color_range == limited


def test_vp8_ignores_small_changes_of_rate() -> None:
    this = encoder(VideoCodec.VP8, bitrate=300_000)
    frames = portrait(SIZE)
    packets = encode(this, frames, 25)
    for bitrate in (290_000, 310_000, 280_000, 340_000):
        this.aim(bitrate)
        packets += encode(this, frames, 25, start=len(packets))
    assert sum(key for _, key in packets) == 1


@pytest.mark.parametrize("codec", CODECS)
def test_rates_stay_between_the_limits(codec: VideoCodec) -> None:
    this = encoder(codec)
    this.aim(1)
    assert this.bitrate == 50_000
    this.aim(10**9)
    assert this.bitrate == 900_000


@pytest.mark.parametrize("codec", CODECS)
def test_a_still_picture_costs_next_to_nothing(codec: VideoCodec) -> None:
    this = encoder(codec)
    packets = encode(this, portrait(SIZE)[:1], 100)
    assert sum(len(data) for data, _ in packets[25:]) * 8 / 3 < 60_000


@pytest.mark.parametrize("codec", CODECS)
def test_a_closed_encoder_says_so(codec: VideoCodec) -> None:
    this = encoder(codec)
    this.close()
    this.close()
    with pytest.raises(RuntimeError, match="closed"):
        this.encode(0, True)


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        open_video(VideoCodec.VP8, 255, 256, 25, bitrate=1, floor=1, ceiling=1)


def packets_of(pcm: Pcm16) -> list[bytes]:
    this = OpusEncoder()
    count = len(pcm) // AUDIO_PACKET
    out = [this.encode(pcm[k * AUDIO_PACKET : (k + 1) * AUDIO_PACKET], k * 960) for k in range(count)]
    this.close()
    return out


def spectrum(pcm: Pcm16) -> NDArray[np.float64]:
    """Loudness in 24 bands for each 20 ms, in dB over a floor: what is heard, whatever the phases are."""
    frames = pcm[: len(pcm) // AUDIO_PACKET * AUDIO_PACKET].reshape(-1, AUDIO_PACKET) * np.hanning(AUDIO_PACKET)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    bands = np.stack([band.sum(axis=1) for band in np.array_split(power[:, :192], 24, axis=1)], axis=1)
    return 10 * np.log10(bands + 1e6)


needs_libopus = pytest.mark.skipif(libopus.find() is None, reason="PyAV brings no libopus of its own")


@needs_libopus
def test_sound_survives_at_24_khz() -> None:
    sent = speech(3)
    decoder = libopus.Decoder()
    heard = np.concatenate([decoder.decode(packet) for packet in packets_of(sent)])
    decoder.close()
    same = [np.corrcoef(heard[lag:], sent[: len(heard) - lag])[0, 1] for lag in range(400)]
    assert max(same) > 0.75
    assert abs(int(np.argmax(same)) - OpusEncoder().lookahead * libopus.RATE) < 12, "it comes as late as is told"
    assert np.abs(spectrum(heard[156:]) - spectrum(sent[: len(heard) - 156])).mean() < 6


@needs_libopus
def test_lost_packets_are_recovered_from_the_next_one() -> None:
    """At 5 % loss, what the copies give back is much nearer to the sound than what a decoder makes up."""
    sent = speech(12)
    packets = packets_of(sent)
    chance = random.Random(5)
    lost = {k for k in range(2, len(packets) - 1) if chance.random() < 0.05}
    whole, recovering, guessing = libopus.Decoder(), libopus.Decoder(), libopus.Decoder()
    complete: list[Pcm16] = []
    recovered: list[Pcm16] = []
    guessed: list[Pcm16] = []
    for k, packet in enumerate(packets):
        complete.append(whole.decode(packet))
        if k not in lost:
            recovered.append(recovering.decode(packet))
            guessed.append(guessing.decode(packet))
        else:
            guessed.append(guessing.decode(None))
            following = packets[k + 1] if k + 1 not in lost else None
            recovered.append(recovering.decode(following, recover=following is not None))
    for decoder in (whole, recovering, guessing):
        decoder.close()
    true = spectrum(np.concatenate(complete))
    voiced = [k for k in lost if true[k].max() > 80]
    assert len(voiced) > 10

    def error(heard: list[Pcm16]) -> float:
        return float(np.abs(spectrum(np.concatenate(heard)) - true)[voiced].mean())

    assert error(recovered) < 0.7 * error(guessed)
    assert error(recovered) < 4.0


def test_silence_is_small() -> None:
    packets = packets_of(np.zeros(AUDIO_PACKET * 50, np.int16))
    assert max(len(packet) for packet in packets[5:]) < 40
