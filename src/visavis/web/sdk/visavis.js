/**
 * The client of a visavis server: a `Scene` is a place on a page where an avatar is talked with.
 *
 * It speaks the unified WebSocket (`/wss/v2/realtime-chat`): microphone and text up, captions and WebRTC signalling
 * down, the avatar's face and voice over WebRTC. It needs no build step and has no dependency.
 */
export { Scene } from "./scene.js";
export { ConnectionStateTypes } from "./connection-state.js";
export { ConnectionErrorTypes, DisconnectReasons, VisavisError } from "./errors.js";
export { listAvatars } from "./avatars.js";
