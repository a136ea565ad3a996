/* Made by tools/build_sdk.py of microphone-processor.js and what it imports. */
const $resampler = (() => {
const CROSSINGS = 16;
const PASS_BAND = 0.92;

class Resampler {
  #phases;
  #taps;
  #up;
  #down;
  #held;
  #heldLength;
  #index = 0;
  #phase = 0;

  constructor(fromRate, toRate) {
    const divisor = greatestCommonDivisor(fromRate, toRate);
    this.#up = toRate / divisor;
    this.#down = fromRate / divisor;
    const cutoff = Math.min(1, toRate / fromRate) * PASS_BAND;
    const half = Math.ceil(CROSSINGS / cutoff);
    this.#taps = 2 * half;
    this.#phases = Array.from({ length: this.#up }, (_, phase) => filter(phase / this.#up, half, cutoff));
    this.#held = new Float32Array(this.#taps + 8192);
    this.#heldLength = this.#taps - 1;
  }

  push(input, emit) {
    this.#held.set(input, this.#heldLength);
    this.#heldLength += input.length;
    while (this.#index + this.#taps <= this.#heldLength) {
      const filterRow = this.#phases[this.#phase];
      let sum = 0;
      for (let tap = 0; tap < this.#taps; tap += 1) {
        sum += filterRow[tap] * this.#held[this.#index + tap];
      }
      emit(sum);
      this.#phase += this.#down;
      this.#index += Math.floor(this.#phase / this.#up);
      this.#phase %= this.#up;
    }
    const used = Math.min(this.#index, this.#heldLength);
    this.#held.copyWithin(0, used, this.#heldLength);
    this.#heldLength -= used;
    this.#index -= used;
  }
}

function filter(fraction, half, cutoff) {
  const taps = new Float32Array(2 * half);
  let sum = 0;
  for (let tap = 0; tap < taps.length; tap += 1) {
    const distance = tap - (half - 1) - fraction;
    taps[tap] = cutoff * sinc(cutoff * distance) * blackman(distance / half);
    sum += taps[tap];
  }
  return taps.map((value) => value / sum);
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function blackman(x) {
  return Math.abs(x) >= 1 ? 0 : 0.42 + 0.5 * Math.cos(Math.PI * x) + 0.08 * Math.cos(2 * Math.PI * x);
}

function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
return { Resampler };
})();
const $microphone_processor = (() => {
const { Resampler } = $resampler;

const RATE = 24_000;
const PIECE = RATE / 50;

class MicrophoneProcessor extends AudioWorkletProcessor {
  #resampler = new Resampler(sampleRate, RATE);
  #piece = new Int16Array(PIECE);
  #filled = 0;
  #energy = 0;
  #open = true;

  constructor() {
    super();
    this.port.onmessage = () => {
      this.#open = false;
    };
  }

  process(inputs) {
    // Without an input (a device is being changed) there is nothing to send.
    const channel = inputs[0]?.[0];
    if (channel) {
      this.#resampler.push(channel, this.#add);
    }
    return this.#open;
  }

  #add = (/** @type {number} */ sample) => {
    const clipped = Math.max(-1, Math.min(1, sample));
    this.#energy += clipped * clipped;
    this.#piece[this.#filled] = Math.round(clipped * 32_767);
    this.#filled += 1;
    if (this.#filled === PIECE) {
      const pcm = this.#piece.buffer;
      this.port.postMessage({ pcm, level: Math.sqrt(this.#energy / PIECE) }, [pcm]);
      this.#piece = new Int16Array(PIECE);
      this.#filled = 0;
      this.#energy = 0;
    }
  };
}

registerProcessor("visavis-microphone", MicrophoneProcessor);
return {  };
})();
