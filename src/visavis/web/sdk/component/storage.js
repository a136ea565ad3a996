/** What is kept in the browser; for as long as the page is open where the browser allows no more. */

/** @type {Map<string, string>} */
const fallback = new Map();

/**
 * @param {string} key
 * @param {string} value
 * @param {{lasting: boolean}} options  lasting: beyond this tab
 */
export function keep(key, value, { lasting }) {
  fallback.set(key, value);
  try {
    (lasting ? localStorage : sessionStorage).setItem(key, value);
  } catch {
    // Storage is blocked or full: the copy above has to do.
  }
}

/**
 * @param {string} key
 * @param {{lasting: boolean}} options
 * @returns {string | null}
 */
export function recall(key, { lasting }) {
  try {
    return (lasting ? localStorage : sessionStorage).getItem(key) ?? fallback.get(key) ?? null;
  } catch {
    return fallback.get(key) ?? null;
  }
}
