/** The messages of the unified WebSocket: what is read from the server and what is written to it. */

/**
 * @typedef {object} ServerMessage
 * @property {string} type
 * @property {Record<string, any>} data  the message's `data`, or its top level where it has none
 * @property {string} text  the text for people, or ""
 * @property {Record<string, any>} raw  the model's own event (`raw_data`), or empty
 */

/**
 * @typedef {object} ToolDescription
 * @property {string} name
 * @property {string} description
 * @property {object} [parameters]  JSON schema of the arguments
 */

/**
 * @param {unknown} frame  a WebSocket message's data
 * @returns {ServerMessage | null}  null for what is no message of this protocol
 */
export function parseMessage(frame) {
  if (typeof frame !== "string") {
    return null;
  }
  let message;
  try {
    message = JSON.parse(frame);
  } catch {
    return null;
  }
  if (!isObject(message) || typeof message.type !== "string") {
    return null;
  }
  const data = isObject(message.data) ? message.data : message;
  return {
    type: message.type,
    data,
    text: String(message.message ?? data.message ?? ""),
    raw: isObject(message.raw_data) ? message.raw_data : {},
  };
}

/** @param {ArrayBuffer} pcm  16-bit little endian mono at 24 kHz */
export function appendAudio(pcm) {
  return { type: "realtime.input_audio_buffer.append", data: { audio: base64(pcm) } };
}

/**
 * @param {string} text  said or typed before, or now
 * @param {"user" | "assistant"} [role]  whose words they are
 */
export function message(text, role = "user") {
  return {
    type: "conversation.item.create",
    item: { type: "message", role, content: [{ type: "input_text", text }] },
  };
}

/** Said in writing: the avatar stops, and answers. @param {string} text */
export function typed(text) {
  return { type: "realtime.input_text", data: { content: text, reply: 1 } };
}

/** Asks for an answer now. */
export function createResponse() {
  return { type: "response.create" };
}

/** @param {readonly ToolDescription[]} tools */
export function announceTools(tools) {
  const content = tools.map(({ name, description, parameters }) => ({
    type: "function",
    name,
    description,
    parameters: parameters ?? { type: "object", properties: {} },
  }));
  return { type: "realtime.input_function_call", data: { content: JSON.stringify(content) } };
}

/**
 * @param {string} callId
 * @param {string} output
 */
export function toolResult(callId, output) {
  return { type: "conversation.item.create", item: { type: "function_call_output", call_id: callId, output } };
}

/** The avatar is to be silent now. */
export function cancelResponse() {
  return { type: "response.cancel" };
}

/** The visitor is still there. */
export function keepAlive() {
  return { type: "realtime.session.keep_alive" };
}

/** @param {Readonly<Record<string, unknown>>} values */
export function setVariables(values) {
  return { type: "realtime.session.variables", data: { variables: values } };
}

/** @param {string} background  as the page says it, or a picture as a data URL */
export function setBackground(background) {
  return { type: "realtime.set_background", data: { background } };
}

/**
 * @param {string} emotion
 * @param {number} intensity
 */
export function setEmotion(emotion, intensity) {
  return { type: "realtime.set_emotion", data: { emotion, intensity } };
}

/** @param {RTCSessionDescriptionInit} description  an offer or an answer */
export function describe({ type, sdp }) {
  return { type: `webrtc.signaling.${type}`, data: { sdp: { type, sdp } } };
}

/** @param {RTCIceCandidate} candidate */
export function iceCandidate(candidate) {
  return { type: "webrtc.signaling.iceCandidate", data: { candidate: candidate.toJSON() } };
}

/** @typedef {{callId: string, responseId: string, name: string, args: unknown}} ToolCall */

/**
 * A tool call, in any of the forms that servers of this protocol send.
 *
 * @param {ServerMessage} message
 * @returns {ToolCall}
 */
export function toolCall({ data, raw }) {
  const given = data.arguments ?? raw.arguments ?? {};
  return {
    callId: String(data.call_id ?? raw.call_id ?? ""),
    responseId: String(data.response_id ?? raw.response_id ?? ""),
    name: String(data.name ?? data.function_name ?? raw.name ?? ""),
    args: typeof given === "string" ? parseArguments(given) : given,
  };
}

/** @param {string} text */
function parseArguments(text) {
  try {
    return JSON.parse(text);
  } catch {
    // A model may write broken JSON: the tool decides what to make of the text.
    return text;
  }
}

/** @param {ArrayBuffer} buffer */
function base64(buffer) {
  return btoa(String.fromCharCode(...new Uint8Array(buffer)));
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, any>}
 */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
