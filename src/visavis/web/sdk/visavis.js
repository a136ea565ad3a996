/**
 * The client of a visavis server: one `Call` is one talk with an avatar.
 *
 * It speaks the unified WebSocket (`/wss/v2/realtime-chat`): microphone and text up, captions and WebRTC signalling
 * down, the avatar's face and voice over WebRTC. It needs no build step and has no dependency.
 */
export { Call } from "./call.js";
export { CallError } from "./errors.js";
export { History } from "./history.js";
export { listAvatars } from "./avatars.js";
