/** How long a restart has to bring media back before the next one, in milliseconds. */
const PATIENCE_MS = 4000;

/**
 * @typedef {object} RecoveryHandlers
 * @property {() => Promise<boolean>} restart  look for new paths; whether the server answered
 * @property {() => boolean} isUp  media flows, as far as is known
 * @property {() => void} onDeaf  the server did not answer: the line to it may be dead without knowing
 * @property {() => void} onGivenUp  the time is over
 */

/** Brings media back after the network changed under it: ICE restarts, one after another, for a bounded time. */
export class Recovery {
  #handlers;
  #limit;
  /** @type {AbortController | null} */
  #running = null;

  /**
   * @param {number} limit  milliseconds in all; 0: without a limit
   * @param {RecoveryHandlers} handlers
   */
  constructor(limit, handlers) {
    this.#limit = limit;
    this.#handlers = handlers;
  }

  begin() {
    if (this.#running) {
      return;
    }
    const running = new AbortController();
    this.#running = running;
    if (this.#limit > 0) {
      const timer = setTimeout(() => {
        this.stop();
        this.#handlers.onGivenUp();
      }, this.#limit);
      running.signal.addEventListener("abort", () => clearTimeout(timer));
    }
    void this.#run(running.signal);
  }

  /** Media is back, or nobody waits for it any more. */
  stop() {
    this.#running?.abort();
    this.#running = null;
  }

  /** @param {AbortSignal} signal */
  async #run(signal) {
    while (!signal.aborted) {
      const answered = await this.#handlers.restart();
      if (signal.aborted) {
        return;
      }
      if (!answered) {
        this.#handlers.onDeaf();
      }
      if (this.#handlers.isUp()) {
        this.stop();
      }
      await new Promise((resolve) => {
        if (signal.aborted) {
          resolve(null);
        }
        const timer = setTimeout(resolve, PATIENCE_MS);
        signal.addEventListener("abort", () => {
          clearTimeout(timer);
          resolve(null);
        });
      });
    }
  }
}

/**
 * Be told when the device is on another network.
 *
 * @param {() => void} onChange
 * @param {AbortSignal} signal  ends it
 */
export function watchNetwork(onChange, signal) {
  addEventListener("online", onChange, { signal });
  // Not all browsers know it. It also tells of every new guess of the speed, which means nothing here.
  const connection = /** @type {(EventTarget & {type?: string}) | undefined} */ (
    /** @type {{connection?: unknown}} */ (navigator).connection
  );
  let type = connection?.type;
  connection?.addEventListener(
    "change",
    () => {
      if (connection.type !== type) {
        type = connection.type;
        onChange();
      }
    },
    { signal },
  );
}
