/**
 * @typedef {object} Explanation
 * @property {string} title  what happened
 * @property {string} text  what the visitor can do
 * @property {boolean} [retry]  trying again may help
 * @property {boolean} [byText]  the call is possible without a microphone
 * @property {boolean} [license]  another license may help
 */

/**
 * What the page says for each cause of `CallError`.
 *
 * @type {Readonly<Record<import("../sdk/errors.js").ErrorCode, Explanation>>}
 */
export const EXPLANATIONS = Object.freeze({
  "permission-denied": {
    title: "The microphone is blocked",
    text: "Allow the microphone for this page, by the sign beside the address at the top of the window, and try again. You can also go on by typing.",
    retry: true,
    byText: true,
  },
  "no-microphone": {
    title: "There is no microphone",
    text: "Connect a microphone or a headset and try again. You can also go on by typing.",
    retry: true,
    byText: true,
  },
  "microphone-busy": {
    title: "The microphone does not start",
    text: "Another program may be using it. Close that program and try again, or go on by typing.",
    retry: true,
    byText: true,
  },
  "insecure-context": {
    title: "The microphone needs a secure address",
    text: "Browsers give the microphone only to pages whose address begins with https://, or that run on your own computer. Ask for such an address, or go on by typing.",
    byText: true,
  },
  "not-supported": {
    title: "This browser can’t make the call",
    text: "Use a present version of Chrome, Edge, Firefox or Safari.",
    retry: true,
    byText: true,
  },
  busy: {
    title: "All places are taken",
    text: "Everyone here is in a call. Wait a minute and try again.",
    retry: true,
  },
  limit: {
    title: "Too many calls at once",
    text: "This license already has as many calls as it may have. End another one, or wait a minute, and try again.",
    retry: true,
  },
  "no-credit": {
    title: "This license has no credit left",
    text: "Ask the person who runs this server to top it up.",
    retry: true,
  },
  "wrong-license": {
    title: "This license is not valid",
    text: "Open the address that the server prints when it starts, or enter another key.",
    license: true,
  },
  "unknown-avatar": {
    title: "This avatar is not here",
    text: "The avatar that was asked for is not on this server. Go back and choose another one.",
  },
  refused: {
    title: "The server refused the call",
    text: "Try again. If it goes on, show the words below to the person who runs this server.",
    retry: true,
  },
  backend: {
    title: "Something failed on the server",
    text: "It is not your fault. Try again in a moment; the person who runs this server finds the cause in its log.",
    retry: true,
  },
  "server-gone": {
    title: "The server does not answer",
    text: "Look whether you are online and whether the server is running, and try again.",
    retry: true,
  },
  "media-blocked": {
    title: "Picture and sound can’t get through",
    text: "A firewall or VPN between you and the server may be in the way. Try another network, such as a phone’s, or ask the person who runs this server to add a TURN server.",
    retry: true,
  },
  "connection-lost": {
    title: "The connection was lost",
    text: "Look whether you are still online. Call again to go on where you were.",
    retry: true,
  },
  "session-timeout": {
    title: "The time is up",
    text: "The call was ended because nobody spoke for a while, or because it reached its longest time. Call again to go on.",
    retry: true,
  },
  "server-closing": {
    title: "The server is closing down",
    text: "It may come back in a moment. Try again then.",
    retry: true,
  },
});

/** @type {Readonly<Record<import("../sdk/dialogue.js").Activity, string>>} */
export const ACTIVITIES = Object.freeze({
  listening: "Listening",
  hearing: "Hearing you",
  thinking: "Thinking",
  speaking: "Speaking",
});
