/** Pauses before the tries, in milliseconds; the last one is repeated. */
const PAUSES = Object.freeze([0, 500, 1000, 2000, 4000]);

/** When a lost server is to be called again. */
export class Redial {
  #deadline;
  #tries = 0;
  /** @type {(() => void) | null} */
  #wake = null;

  /** @param {number} milliseconds  in which new tries begin; 0: for ever */
  constructor(milliseconds) {
    this.#deadline = milliseconds > 0 ? performance.now() + milliseconds : Infinity;
  }

  /** No further try is worth it. */
  get late() {
    return performance.now() > this.#deadline;
  }

  /** The pause before the next try. */
  async rest() {
    const pause = PAUSES[Math.min(this.#tries, PAUSES.length - 1)];
    this.#tries += 1;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, pause);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
    this.#wake = null;
  }

  /** End the pause: the network is back, or nobody waits any more. */
  hurry() {
    this.#wake?.();
  }
}
