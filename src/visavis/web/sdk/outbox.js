/** Messages held while there is no server to hear them; older ones are dropped. */
const MOST_HELD = 64;

/** What the page says to the server: at once, or as soon as the server hears. Sound and signalling go past it. */
export class Outbox {
  /** @type {((message: object) => void) | null} */
  #send = null;
  /** @type {object[]} */
  #held = [];

  /** Whether the server hears. */
  get open() {
    return this.#send !== null;
  }

  /** @param {object} message */
  say(message) {
    if (this.#send) {
      this.#send(message);
    } else {
      this.#held = [...this.#held, message].slice(-MOST_HELD);
    }
  }

  /** The server hears from now on. @param {(message: object) => void} send */
  begin(send) {
    this.#send = send;
    for (const message of this.#held.splice(0)) {
      send(message);
    }
  }

  /** It does not hear for now. */
  pause() {
    this.#send = null;
  }
}
