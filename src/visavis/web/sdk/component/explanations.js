/** @typedef {import("../visavis.js").Code} Code */

/**
 * @typedef {object} Explanation
 * @property {string} title  what happened
 * @property {string} text  what the visitor can do
 * @property {boolean} [retry]  trying again may help
 * @property {boolean} [byText]  the call is possible without a microphone
 * @property {boolean} [detail]  the error's own message says more, for the person who runs the server
 * @property {boolean} [calm]  nothing is wrong: the call has ended as it should
 */

/**
 * What is told to visitors for each cause of an error or of an ending. `{name}` is the avatar's name.
 *
 * @type {Readonly<Partial<Record<Code, Explanation>>>}
 */
export const EXPLANATIONS = Object.freeze({
  permission_denied: {
    title: "The microphone is blocked",
    text: "Allow the microphone for this page, by the sign beside the address at the top of the window, and try again. You can also go on by typing.",
    retry: true,
    byText: true,
  },
  no_device: {
    title: "There is no microphone",
    text: "Connect a microphone or a headset and try again. You can also go on by typing.",
    retry: true,
    byText: true,
  },
  device_busy: {
    title: "The microphone does not start",
    text: "Another program may be using it. Close that program and try again, or go on by typing.",
    retry: true,
    byText: true,
  },
  device_timeout: {
    title: "The browser still asks for the microphone",
    text: "Answer its question near the address at the top of the window, and try again. You can also go on by typing.",
    retry: true,
    byText: true,
  },
  insecure_context: {
    title: "The microphone needs a secure address",
    text: "Browsers give the microphone only to pages whose address begins with https://, or that run on your own computer. Ask for such an address, or go on by typing.",
    byText: true,
  },
  not_supported: {
    title: "This browser can’t make the call",
    text: "Use a present version of Chrome, Edge, Firefox or Safari.",
    retry: true,
  },
  no_slot: {
    title: "All places are taken",
    text: "Everyone here is in a call. Wait a minute and try again.",
    retry: true,
  },
  queue_timeout: {
    title: "No place has become free",
    text: "The calls before yours take longer than usual. Try again in a few minutes.",
    retry: true,
  },
  license_limit: {
    title: "Too many calls at once",
    text: "This license already has as many calls as it may have. End another one, or wait a minute, and try again.",
    retry: true,
  },
  rate_limited: {
    title: "Too many tries in a short time",
    text: "Wait a minute and try again.",
    retry: true,
  },
  no_credit: {
    title: "This license has no credit left",
    text: "Ask the person who runs this server to top it up.",
    retry: true,
  },
  invalid_license: {
    title: "This license is not valid",
    text: "The key may have been replaced, or its time may be over. Load the page again; if that does not help, tell the person who runs it.",
    retry: true,
  },
  token_failed: {
    title: "This page could not get its permission to call",
    text: "Try again in a moment. If it goes on, tell the person who runs this page.",
    retry: true,
    detail: true,
  },
  origin_not_allowed: {
    title: "Calls from this page are not allowed",
    text: "The license is for other pages. The person who runs this page can add its address to the license.",
  },
  unknown_avatar: {
    title: "This avatar is not here",
    text: "The avatar that was asked for is not on this server.",
  },
  bad_request: {
    title: "The server refused the call",
    text: "Try again. If it goes on, show the words below to the person who runs this server.",
    retry: true,
    detail: true,
  },
  backend_error: {
    title: "Something failed on the server",
    text: "It is not your fault. Try again in a moment; the person who runs this server finds the cause in its log.",
    retry: true,
  },
  control_failed: {
    title: "{name} can’t answer now",
    text: "The service that finds the answers can’t be reached. Try again in a few minutes.",
    retry: true,
  },
  control_disconnected: {
    title: "{name} can’t answer any more",
    text: "The service that finds the answers was lost. Try again in a few minutes.",
    retry: true,
  },
  unreachable: {
    title: "The server does not answer",
    text: "Look whether you are online and whether the server is running, and try again.",
    retry: true,
  },
  no_answer: {
    title: "The server does not answer",
    text: "It may be busy or just starting. Try again in a moment.",
    retry: true,
  },
  media_timeout: {
    title: "Picture and sound can’t get through",
    text: "A firewall or VPN between you and the server may be in the way. Try another network, such as a phone’s, or ask the person who runs this server to add a TURN server.",
    retry: true,
  },
  media_failed: {
    title: "Picture and sound can’t get through",
    text: "A firewall or VPN between you and the server may be in the way. Try another network, such as a phone’s, or ask the person who runs this server to add a TURN server.",
    retry: true,
  },
  connect_timeout: {
    title: "The call took too long to begin",
    text: "The server is reached but does not get ready. Try again in a few minutes.",
    retry: true,
  },
  connection_lost: {
    title: "The connection was lost",
    text: "Look whether you are still online. Call again to go on where you were.",
    retry: true,
  },
  session_timeout: {
    title: "The time is up",
    text: "The call was ended because nobody spoke for a while, or because it reached its longest time. Call again to go on.",
    retry: true,
    calm: true,
  },
  replaced: {
    title: "Continued in another window",
    text: "This conversation goes on in another window or on another device. Call again to bring it back here.",
    retry: true,
    calm: true,
  },
  no_session_to_resume: {
    title: "The conversation from before is no longer kept",
    text: "Call again to begin a new one.",
    retry: true,
  },
  shutting_down: {
    title: "The server is closing down",
    text: "It may come back in a moment. Try again then.",
    retry: true,
  },
});

/**
 * @param {Code} code
 * @param {Readonly<Partial<Record<string, Explanation>>>} [own]  an app's, which go first
 * @returns {Explanation}
 */
export function explain(code, own = {}) {
  const found = own[code] ?? EXPLANATIONS[code] ?? EXPLANATIONS.bad_request;
  return /** @type {Explanation} */ (found);
}
