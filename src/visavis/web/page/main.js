import { Call, CallError, History, listAvatars } from "../sdk/call/index.js";
import { keepLicense, ownServer, readAddress } from "./address.js";
import { shortName, showChooser } from "./chooser.js";
import { Conversation } from "./conversation.js";
import { box, button, element } from "./elements.js";
import { beginProgress, showStep } from "./progress.js";
import { Settings } from "./settings.js";
import { Stage } from "./stage.js";
import { EXPLANATIONS } from "./texts.js";
import { keepAwake } from "./wake-lock.js";

/** @typedef {"welcome" | "license" | "connecting" | "message" | "call"} View */
/** @typedef {import("../sdk/avatars.js").Avatar} Avatar */

const server = ownServer();
const address = readAddress();
const remembered = new History();
const conversation = new Conversation();
const stage = new Stage();
const settings = new Settings(stage.video, (current) => stage.showMicrophone(current));

let license = address.license;
/** @type {Avatar[]} */
let avatars = [];
/** @type {Avatar | null} */
let chosen = null;
/** @type {Call | null} */
let call = null;
let called = false;

/** @param {View} view */
function show(view) {
  document.body.dataset.view = view;
  for (const card of ["welcome", "license", "connecting", "message"]) {
    box(card).hidden = card !== view;
  }
  box("call-title").hidden = view !== "call";
  box("composer").hidden = view !== "call";
  box("conversation").hidden = view !== "call" && (conversation.empty || view === "license");
  box("panel").scrollTop = 0;
  conversation.scrollDown();
  if (view === "call") {
    button("mute").focus({ preventScroll: true });
  } else {
    box(`${view}-title`).focus({ preventScroll: true });
  }
}

/** @param {CallError} error */
function explain(error) {
  const { title, text, retry, byText, license: another } = EXPLANATIONS[error.code];
  if (another) {
    box("license-title").textContent = title;
    box("license-text").textContent = text;
    show("license");
    return;
  }
  box("message-title").textContent = title;
  box("message-text").textContent = text;
  box("message-detail").textContent = error.code === "refused" ? error.message : "";
  button("retry").hidden = !retry;
  button("go-by-text").hidden = !byText;
  button("back").className = retry || byText ? "quiet" : "primary";
  show("message");
}

/** @param {string} [title] */
function welcome(title) {
  const name = chosen ? shortName(chosen.name) : "";
  document.title = name ? `${name} · visavis` : "visavis";
  box("welcome-title").textContent = title ?? (name ? `Talk with ${name}` : "Talk face to face");
  box("call-text").textContent = called ? "Call again" : "Call";
  box("welcome-text").hidden = called;
  show("welcome");
}

/** Ask the server who is there, and show the first face. */
async function begin() {
  if (license === "") {
    show("license");
    return;
  }
  try {
    avatars = await listAvatars(server, license);
  } catch (error) {
    explain(asCallError(error));
    return;
  }
  const asked = avatars.find(({ id }) => id === address.avatarId) ?? avatars.find(({ name }) => name === address.name);
  if (!asked && (address.avatarId || address.name)) {
    chosen = avatars[0] ?? null;
    explain(new CallError("unknown-avatar", "The avatar in the address is not on this server."));
  } else {
    chosen = asked ?? avatars[0] ?? null;
  }
  if (!chosen) {
    explain(new CallError("unknown-avatar", "The server has no avatar."));
    return;
  }
  showChooser(avatars, chosen, choose);
  choose(chosen);
}

/** @param {Avatar} avatar */
function choose(avatar) {
  chosen = avatar;
  stage.showPoster(avatar);
  if (document.body.dataset.view !== "message") {
    welcome();
  }
}

/** @param {boolean} microphone */
async function start(microphone) {
  if (call || !chosen) {
    // Without avatars there was no answer yet from the server: that is what is tried again.
    await (call ? undefined : begin());
    return;
  }
  const avatar = chosen;
  const current = new Call({
    server,
    license,
    avatarId: avatar.id,
    model: address.model || undefined,
    video: stage.video,
    microphone,
    deviceId: settings.microphoneId,
    history: remembered.of(avatar.id),
  });
  call = current;
  called = true;
  settings.follow(current);
  conversation.begin(shortName(avatar.name));
  box("call-title").textContent = `In a call with ${shortName(avatar.name)}`;
  box("connecting-title").textContent = `Calling ${shortName(avatar.name)}…`;
  beginProgress(microphone);
  show("connecting");
  listen(current, avatar);
  try {
    await current.connect();
  } catch {
    // Told by the "ended" event.
  }
}

/**
 * @param {Call} current
 * @param {Avatar} avatar
 */
function listen(current, avatar) {
  const sleep = keepAwake();
  stage.calling(current);
  on(current, "state", (state) => {
    showStep(state);
    if (state === "connected") {
      stage.live(current);
      show("call");
    }
  });
  on(current, "caption", (caption) => {
    conversation.show(caption);
    if (caption.side === "user" && caption.state === "final" && caption.text) {
      remembered.add(avatar.id, caption.text);
    }
  });
  on(current, "notice", (text) => conversation.note(text));
  on(current, "microphonelost", () => conversation.note("The microphone went away. You can go on by typing."));
  on(current, "ended", ({ reason, error }) => {
    call = null;
    settings.follow(null);
    sleep();
    stage.rest();
    if (error) {
      explain(error);
    } else {
      welcome(reason === "finished" ? "The call has ended" : undefined);
    }
  });
}

/**
 * @param {Call} current
 * @param {string} type
 * @param {(detail: any) => void} handler
 */
function on(current, type, handler) {
  current.addEventListener(type, (event) => handler(/** @type {CustomEvent} */ (event).detail));
}

async function toggleMicrophone() {
  const current = call;
  if (!current) {
    return;
  }
  if (current.hasMicrophone) {
    current.muted = !current.muted;
  } else {
    try {
      await current.openMicrophone(settings.microphoneId);
    } catch (error) {
      const { title, text } = EXPLANATIONS[asCallError(error).code];
      conversation.note(`${title}. ${text}`);
    }
  }
  stage.showMicrophone(current);
}

/** @param {unknown} error */
function asCallError(error) {
  if (error instanceof CallError) {
    return error;
  }
  throw error;
}

button("call").addEventListener("click", () => void start(true));
button("call-by-text").addEventListener("click", () => void start(false));
button("retry").addEventListener("click", () => void start(true));
button("go-by-text").addEventListener("click", () => void start(false));
button("back").addEventListener("click", () => welcome());
button("cancel").addEventListener("click", () => call?.hangUp());
button("hang-up").addEventListener("click", () => call?.hangUp());
button("mute").addEventListener("click", () => void toggleMicrophone());
element("composer", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const field = element("text", HTMLInputElement);
  const text = field.value.trim();
  if (call && text) {
    call.sendText(text);
    field.value = "";
  }
});
element("license-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  license = element("license-field", HTMLInputElement).value.trim();
  keepLicense(license);
  void begin();
});
// A page that is left, or put into the browser's back-and-forward cache, has no call any more.
addEventListener("pagehide", () => call?.hangUp());

await begin();
