/** Whether picture and sound arrive. Told whenever that has changed, from the first time that they did. */
export class Flow {
  #tell;
  #facts = { standing: false, connected: false, moving: true };
  #begun = false;
  #told = true;

  /** @param {(flowing: boolean) => void} tell */
  constructor(tell) {
    this.#tell = tell;
  }

  /** Media is connected, as far as is known. */
  get connected() {
    return this.#facts.connected;
  }

  /**
   * @param {{standing?: boolean, connected?: boolean, moving?: boolean}} facts  `standing`: the server is there;
   *   `connected`: media is; `moving`: the picture does not stand still
   */
  note(facts) {
    this.#facts = { ...this.#facts, ...facts };
    const flowing = Object.values(this.#facts).every(Boolean);
    this.#begun ||= flowing;
    if (this.#begun && flowing !== this.#told) {
      this.#told = flowing;
      this.#tell(flowing);
    }
  }
}
