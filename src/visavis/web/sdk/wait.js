/** One wait at a time, each for so long at most. */
export class Wait {
  #onLate;
  #what = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {(code: import("./errors.js").Code) => void} onLate */
  constructor(onLate) {
    this.#onLate = onLate;
  }

  /**
   * What was waited for before has come.
   *
   * @param {string} what  a wait for the same that is under way goes on
   * @param {number} milliseconds  0: as long as it takes
   * @param {import("./errors.js").Code} code  what it is called when it takes longer
   */
  begin(what, milliseconds, code) {
    if (this.#what !== what) {
      this.end();
      this.#what = what;
      if (milliseconds > 0) {
        this.#timer = setTimeout(() => this.#onLate(code), milliseconds);
      }
    }
  }

  end() {
    clearTimeout(this.#timer);
    this.#what = "";
  }
}
