/** Runs on the audio thread: the microphone's sound as 16-bit PCM at 24 kHz, in pieces of 20 ms. */
import { Resampler } from "./resampler.js";

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

  /** @param {Float32Array[][]} inputs */
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
