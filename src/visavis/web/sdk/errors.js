/** Names of what `connect()` rejects with. */
export const ConnectionErrorTypes = Object.freeze({
  noUserMedia: "noUserMedia",
  noScene: "noScene",
  serverConnectionFailed: "serverConnectionFailed",
  notSupported: "notSupported",
  mediaStreamFailed: "mediaStreamFailed",
  sessionTimeout: "sessionTimeout",
  controlFailed: "controlFailed",
  noSessionToResume: "noSessionToResume",
});

/** Why a session that stood is over. */
export const DisconnectReasons = Object.freeze({
  sessionTimeout: "sessionTimeout",
  conversationEnded: "conversationEnded",
  controlDisconnected: "controlDisconnected",
  normal: "normal",
});

/** @typedef {keyof typeof ConnectionErrorTypes | "AbortError"} ErrorName */
/** @typedef {keyof typeof DisconnectReasons} Reason */

/**
 * Each exact cause: the name of its error, what happened when nobody says it better, and what to do about it.
 *
 * @satisfies {Record<string, readonly [ErrorName, string, string]>}
 */
const CAUSES = Object.freeze({
  invalid_license: ["serverConnectionFailed", "The license is not valid.", "Check the license key or client token."],
  bad_request: ["serverConnectionFailed", "The server refused the call.", "Check the options given to the Scene."],
  origin_not_allowed: [
    "serverConnectionFailed",
    "This page's origin may not call here.",
    "Add it to the allowed origins of the server or the license.",
  ],
  shutting_down: ["serverConnectionFailed", "The server is closing down.", "Try again in a minute."],
  no_credit: ["serverConnectionFailed", "The license has no credit left.", "Ask who runs the server."],
  unknown_avatar: ["noScene", "The avatar is not on this server.", "Check avatarId or name."],
  license_limit: ["noScene", "The license has as many sessions as it may have.", "Try again when one has ended."],
  no_slot: ["noScene", "All avatars are taken.", "Try again in a minute, or set retryOptions."],
  rate_limited: ["noScene", "There were too many attempts.", "Wait a minute before the next one."],
  backend_error: ["controlFailed", "Something failed on the server.", "Its log says what."],
  control_failed: ["controlFailed", "What directs the conversation cannot be reached.", "The server's log says why."],
  control_disconnected: ["controlFailed", "What directs the conversation was lost.", "The server's log says why."],
  media_failed: [
    "mediaStreamFailed",
    "The connection for picture and sound failed.",
    "A firewall or VPN may block it: try another network, or add a TURN server.",
  ],
  session_timeout: ["sessionTimeout", "The session has timed out.", "Connect again to go on."],
  conversation_ended: ["serverConnectionFailed", "The conversation was ended.", "Connect again for another one."],
  normal: ["serverConnectionFailed", "The connection was closed.", "Connect again."],
  replaced: ["serverConnectionFailed", "The session goes on in another place.", "It was opened in another tab."],
  no_session_to_resume: [
    "noSessionToResume",
    "The earlier session is over.",
    "It has been forgotten: connect again for a new one.",
  ],
  permission_denied: ["noUserMedia", "The browser does not allow the device.", "Allow it for this page."],
  no_device: ["noUserMedia", "There is no such device.", "Connect one."],
  device_busy: ["noUserMedia", "The device does not start.", "Another program may be using it."],
  device_timeout: ["noUserMedia", "Nobody allowed the device.", "Answer the browser's question."],
  insecure_context: [
    "notSupported",
    "Browsers give microphone and camera to pages over HTTPS only.",
    "Serve the page by HTTPS, or request no devices.",
  ],
  not_supported: ["notSupported", "This browser lacks what a call needs.", "Use a present version of a major browser."],
  token_failed: ["serverConnectionFailed", "There is no token.", "tokenProvider must give one in time."],
  unreachable: [
    "serverConnectionFailed",
    "The server cannot be reached.",
    "Check its address, that it runs, and the network.",
  ],
  no_answer: ["serverConnectionFailed", "The server does not answer.", "It may be overloaded: try again."],
  queue_timeout: ["noScene", "No avatar became free in time.", "Try again later."],
  media_timeout: [
    "mediaStreamFailed",
    "Picture and sound did not come through.",
    "A firewall or VPN may block them: try another network, or add a TURN server.",
  ],
  connect_timeout: ["sessionTimeout", "Connecting took too long.", "Try again later."],
  connection_lost: ["serverConnectionFailed", "The connection to the server was lost.", "Check the network."],
  aborted: ["AbortError", "disconnect() was called.", "No further step is needed."],
});

/** @typedef {keyof typeof CAUSES} Code */

/** The reason that a session ends with, where it is not `normal`. @type {Partial<Record<Code, Reason>>} */
const REASONS = Object.freeze({
  backend_error: "controlDisconnected",
  control_failed: "controlDisconnected",
  control_disconnected: "controlDisconnected",
  connection_lost: "controlDisconnected",
  session_timeout: "sessionTimeout",
  conversation_ended: "conversationEnded",
});

/** Why a connection failed, a device could not be had, or a session is over. */
export class VisavisError extends Error {
  /**
   * @param {Code} code  the exact cause
   * @param {{text?: string, cause?: unknown}} [more]  `text`: what happened, said by who knows it better
   */
  constructor(code, { text, cause } = {}) {
    const [name, happened, advice] = CAUSES[code];
    super(`${text || happened} ${advice}`, cause === undefined ? undefined : { cause });
    this.name = name;
    /** @readonly */
    this.code = code;
  }

  /** What it is called when it ends a session that stood. @returns {Reason} */
  get reason() {
    return REASONS[this.code] ?? "normal";
  }
}

/** @param {string} text @returns {text is Code} */
export function isCode(text) {
  return Object.hasOwn(CAUSES, text);
}

/**
 * @param {unknown} error
 * @returns {VisavisError}  itself, or what the browser cannot do
 */
export function asVisavisError(error) {
  return error instanceof VisavisError ? error : new VisavisError("not_supported", { cause: error });
}
