/** Zero crossings of the filter on each side: more is steeper and costs more. */
const CROSSINGS = 16;
/** Where the pass band ends, as a part of the lower of the two Nyquist frequencies. */
const PASS_BAND = 0.92;

/**
 * A streaming resampler: windowed sinc in polyphase form, exact for every pair of whole rates.
 *
 * For out/in = up/down in lowest terms, the output sample n lies at input position n·down/up, whose fraction takes `up`
 * values: one row of filter taps for each. (J. O. Smith, "Digital Audio Resampling", CCRMA.)
 */
export class Resampler {
  /** @type {Float32Array[]} */
  #phases;
  #taps;
  #up;
  #down;
  /** Input not yet used up; starts with silence so that the first output has its left context. */
  #held;
  #heldLength;
  /** Position of the next output: whole input samples into `#held`, and the phase. */
  #index = 0;
  #phase = 0;

  /**
   * @param {number} fromRate  Hz
   * @param {number} toRate  Hz
   */
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

  /**
   * @param {Float32Array} input  any length up to 8192
   * @param {(sample: number) => void} emit  called for each output sample
   */
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

/**
 * @param {number} fraction  of an input sample, by which the output lies after the middle tap
 * @param {number} half  taps on each side
 * @param {number} cutoff  as a part of the input's Nyquist frequency
 */
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

/** @param {number} x */
function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** @param {number} x  −1 … 1 */
function blackman(x) {
  return Math.abs(x) >= 1 ? 0 : 0.42 + 0.5 * Math.cos(Math.PI * x) + 0.08 * Math.cos(2 * Math.PI * x);
}

/**
 * @param {number} a
 * @param {number} b
 * @returns {number}
 */
function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
