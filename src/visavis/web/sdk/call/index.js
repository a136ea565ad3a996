export { Call } from "./call.js";
export { CallError } from "./errors.js";
export { History } from "./history.js";
export { listAvatars } from "./avatars.js";
