import { CallError } from "./errors.js";

/** @typedef {import("./errors.js").ErrorCode} ErrorCode */

/**
 * Events that end a call, and what they mean when they say no more.
 *
 * @type {Readonly<Record<string, ErrorCode | "finished">>}
 */
const BY_TYPE = Object.freeze({
  "conversation.connected.fail": "refused",
  "conversation.connected.insufficient_balance": "no-credit",
  "conversation.connected.connection_limit_exceeded": "limit",
  "conversation.connected.gpu_full": "busy",
  "conversation.connected.backend_error": "backend",
  "conversation.connected.close": "finished",
  "realtime.session.gpu_full": "busy",
  "realtime.session.insufficient_balance": "no-credit",
});

/**
 * The causes that a visavis server adds as `data.code`.
 *
 * @type {Readonly<Record<string, ErrorCode | "finished">>}
 */
const BY_CODE = Object.freeze({
  invalid_license: "wrong-license",
  unknown_avatar: "unknown-avatar",
  bad_request: "refused",
  license_limit: "limit",
  no_credit: "no-credit",
  no_slot: "busy",
  backend_error: "backend",
  shutting_down: "server-closing",
  normal: "finished",
  conversation_ended: "finished",
  session_timeout: "session-timeout",
  media_failed: "media-blocked",
});

/**
 * Close codes of the WebSocket, for a server that closed without a word.
 *
 * @type {Readonly<Record<number, ErrorCode | "finished">>}
 */
const BY_CLOSE_CODE = Object.freeze({
  1000: "finished",
  1001: "server-closing",
  1008: "refused",
  1011: "backend",
  1012: "server-closing",
  1013: "busy",
});

/**
 * @typedef {{error: CallError | null}} Verdict  how the server ended the call; no error: in the ordinary way
 */

/**
 * @param {import("./wire.js").ServerMessage} message
 * @param {boolean} connected  whether media had come up
 * @returns {Verdict | null}  null when the message ends nothing
 */
export function verdictOfMessage(message, connected) {
  const general = BY_TYPE[message.type];
  if (general === undefined) {
    return null;
  }
  const code = BY_CODE[String(message.data.code)] ?? general;
  return verdict(code, message.text || "The server ended the call.", connected);
}

/**
 * @param {CloseEvent} event
 * @param {boolean} connected
 * @returns {Verdict}
 */
export function verdictOfClose(event, connected) {
  const code = BY_CLOSE_CODE[event.code] ?? (connected ? "connection-lost" : "server-gone");
  // A server that hangs up before there was a call has not ended it in the ordinary way.
  const cause = code === "finished" && !connected ? "refused" : code;
  return verdict(cause, event.reason || `The connection was closed (${event.code}).`, connected);
}

/**
 * @param {ErrorCode | "finished"} code
 * @param {string} text
 * @param {boolean} connected
 * @returns {Verdict}
 */
function verdict(code, text, connected) {
  if (code === "finished") {
    return { error: null };
  }
  return { error: new CallError(code === "media-blocked" && connected ? "connection-lost" : code, text) };
}
