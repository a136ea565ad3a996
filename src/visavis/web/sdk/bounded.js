import { VisavisError } from "./errors.js";

/**
 * Wait for something, but not for ever.
 *
 * @template T
 * @param {Promise<T>} work
 * @param {object} bounds
 * @param {number} bounds.milliseconds  0: as long as it takes
 * @param {import("./errors.js").Code} bounds.code  of the error when it takes longer
 * @param {AbortSignal} bounds.signal  its reason is thrown when it is aborted
 * @returns {Promise<T>}
 */
export async function bounded(work, { milliseconds, code, signal }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const settled = new AbortController();
  const given = new Promise((_, reject) => {
    signal.throwIfAborted();
    signal.addEventListener("abort", () => reject(signal.reason), { signal: settled.signal });
    if (milliseconds > 0) {
      timer = setTimeout(() => reject(new VisavisError(code)), milliseconds);
    }
  });
  try {
    return await Promise.race([work, /** @type {Promise<never>} */ (given)]);
  } finally {
    clearTimeout(timer);
    settled.abort();
  }
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal  its reason is thrown when it is aborted
 */
export async function pause(milliseconds, signal) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  try {
    const passed = new Promise((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    await bounded(passed, { milliseconds: 0, code: "aborted", signal });
  } finally {
    clearTimeout(timer);
  }
}
