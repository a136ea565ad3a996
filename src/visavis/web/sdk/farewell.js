import { VisavisError, isCode } from "./errors.js";

/** @typedef {import("./errors.js").Code} Code */

/**
 * Messages that end a session, and what they mean where the server says no more.
 *
 * @type {Readonly<Record<string, Code>>}
 */
const BY_TYPE = Object.freeze({
  "conversation.connected.fail": "bad_request",
  "conversation.connected.insufficient_balance": "no_credit",
  "conversation.connected.connection_limit_exceeded": "license_limit",
  "conversation.connected.gpu_full": "no_slot",
  "conversation.connected.backend_error": "backend_error",
  "conversation.connected.close": "normal",
  "realtime.session.gpu_full": "no_slot",
  "realtime.session.insufficient_balance": "no_credit",
});

/**
 * Close codes of the WebSocket (RFC 6455 §7.4.1), for a server that closed before the session without a word.
 *
 * @type {Readonly<Record<number, Code>>}
 */
const BY_CLOSE_CODE = Object.freeze({
  1000: "normal",
  1001: "shutting_down",
  1008: "bad_request",
  1011: "backend_error",
  1012: "shutting_down",
  1013: "no_slot",
});

/** @param {import("./wire.js").ServerMessage} message @returns {boolean}  whether it is the server's last word */
export function isFarewell(message) {
  return message.type in BY_TYPE;
}

/**
 * Why the server ended a session: by the code it told, else by the reason of the close, else by its last word.
 *
 * @param {import("./wire.js").ServerMessage | null} farewell
 * @param {{code: number, reason: string} | null} close  null: the server said its last word and did not close
 * @param {{opened: boolean, greeted: boolean}} progress  `opened`: the socket was; `greeted`: the server had taken the
 *   call, so that a close without a word is the network's
 * @returns {VisavisError}
 */
export function causeOf(farewell, close, { opened, greeted }) {
  const text = farewell?.text ?? "";
  for (const told of [farewell?.data.code, close?.reason]) {
    if (typeof told === "string" && isCode(told)) {
      return new VisavisError(told, { text });
    }
  }
  if (farewell) {
    return new VisavisError(BY_TYPE[farewell.type], { text });
  }
  if (close?.code === 1000) {
    return new VisavisError("normal", { text: greeted ? "" : "The server closed the connection without a word." });
  }
  if (greeted) {
    return new VisavisError("connection_lost", { cause: close });
  }
  return new VisavisError((opened && BY_CLOSE_CODE[close?.code ?? 0]) || "unreachable", { cause: close });
}
