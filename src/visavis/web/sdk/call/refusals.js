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
 * The exact causes, which a visavis server gives as the reason of the WebSocket's close.
 *
 * @type {Readonly<Record<string, ErrorCode | "finished">>}
 */
const BY_REASON = Object.freeze({
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
 * @returns {boolean}  whether this is the server's last word, which the close follows
 */
export function isFarewell(message) {
  return message.type in BY_TYPE;
}

/**
 * Why the server ended a call: by the reason of the close, else by its last word, else by the close code.
 *
 * @param {import("./wire.js").ServerMessage | null} farewell
 * @param {{code: number, reason: string} | null} close  null: the server said its last word and did not close
 * @param {boolean} connected  whether media had come up
 * @returns {Verdict}
 */
export function verdictOf(farewell, close, connected) {
  const code =
    BY_REASON[close?.reason ?? ""] ??
    BY_TYPE[farewell?.type ?? ""] ??
    BY_CLOSE_CODE[close?.code ?? 0] ??
    (connected ? "connection-lost" : "server-gone");
  if (code === "finished") {
    // A server that hangs up without a word before there was a call has not ended it in the ordinary way.
    return { error: connected || farewell ? null : new CallError("refused", "The server closed the connection.") };
  }
  const text = farewell?.text || close?.reason || `The connection was closed (${close?.code}).`;
  return { error: new CallError(code === "media-blocked" && connected ? "connection-lost" : code, text) };
}
