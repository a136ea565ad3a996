/**
 * Why a call could not begin, or ended by itself. `code` is the exact cause.
 *
 * @typedef {"permission-denied" | "no-microphone" | "microphone-busy" | "insecure-context" | "not-supported"
 *   | "busy" | "limit" | "no-credit" | "wrong-license" | "unknown-avatar" | "refused" | "backend"
 *   | "server-gone" | "media-blocked" | "connection-lost" | "session-timeout" | "server-closing"} ErrorCode
 */

/**
 * The names under which an app meets the causes: fewer than the codes, for those who only need the kind.
 *
 * @type {Readonly<Record<ErrorCode, string>>}
 */
const NAMES = Object.freeze({
  "permission-denied": "noUserMedia",
  "no-microphone": "noUserMedia",
  "microphone-busy": "noUserMedia",
  "insecure-context": "notSupported",
  "not-supported": "notSupported",
  busy: "noScene",
  limit: "noScene",
  "no-credit": "serverConnectionFailed",
  "wrong-license": "serverConnectionFailed",
  "unknown-avatar": "serverConnectionFailed",
  refused: "serverConnectionFailed",
  backend: "controlFailed",
  "server-gone": "serverConnectionFailed",
  "media-blocked": "mediaStreamFailed",
  "connection-lost": "mediaStreamFailed",
  "session-timeout": "sessionTimeout",
  "server-closing": "serverConnectionFailed",
});

/** A call that could not begin, or was cut off. */
export class CallError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message  what happened, in words
   * @param {{cause?: unknown}} [options]
   */
  constructor(code, message, options) {
    super(message, options);
    this.name = NAMES[code];
    /** @readonly */
    this.code = code;
  }
}
