import { keepLicense, readAddress } from "../address.js";
import { Portraits, Refused } from "./api.js";
import { Camera } from "./camera.js";
import { find, make } from "./dom.js";
import { PointEditor } from "./points.js";

/** @typedef {import("./api.js").Draft} Draft */
/** @typedef {import("./api.js").Offer} Offer */

/** Where the draft's id is kept while this tab is open, so that the page may be loaded anew. */
const DRAFT = "visavis.draft";
const KINDS = ["image/jpeg", "image/png", "image/webp"];
const POLL = 400;
/** A draft that nobody asks for goes after a while. */
const STAY = 60_000;

/** Headings for what goes wrong; the server's sentence stands below. */
const TITLES = {
  no_face: "No face was found",
  several_faces: "There is more than one face",
  face_too_small: "The face is too small",
  turned_away: "The face is turned away",
  covered: "The face is covered",
  cut_off: "Part of the face is missing",
  eyes_closed: "The eyes are closed",
  not_an_image: "This is not a photo",
  too_large: "The photo is too large",
  points_invalid: "The points do not fit a face",
  name_taken: "The name is taken",
  name_invalid: "The name does not work",
  no_consent: "Consent is needed",
  busy: "Too many at once",
  unknown_draft: "The draft is gone",
  network: "No connection",
  camera: "The camera cannot be used",
};
/** What browsers may not even be able to show; every other photo that is refused stays to be seen. */
const NO_PHOTO = ["not_an_image", "too_large"];
/** What is looked for at the points, and not found there either when they are in a wrong place. */
const SEEN_AT_POINTS = ["covered", "eyes_closed", "turned_away"];
const MISPLACED = "If that is not so, a point is not in its place.";

const body = document.body;
const photo = find("photo", HTMLImageElement);
const film = find("film", HTMLVideoElement);
const poster = find("poster", HTMLImageElement);
const file = find("file", HTMLInputElement);
const name = find("name", HTMLInputElement);
const voice = find("voice", HTMLSelectElement);
const otherVoice = find("preview-voice", HTMLSelectElement);
const hear = find("hear", HTMLButtonElement);
const consent = find("consent", HTMLInputElement);
const glasses = find("glasses", HTMLInputElement);
const play = find("play", HTMLButtonElement);
const picture = find("picture", HTMLElement);
const camera = new Camera(find("camera", HTMLVideoElement));
const editor = new PointEditor(find("editor", HTMLElement), find("parts", HTMLElement));

let portraits = new Portraits(readAddress().license);
/** @type {Offer} */
let offer;
/** @type {Draft | null} */
let draft = null;
/** @type {File | null} */
let chosen = null;
/** Ends what is under way when something else begins. */
let turn = new AbortController();
/** @type {string[]} */
let addresses = [];

/** @typedef {"license" | "photo" | "camera" | "working" | "points" | "preview" | "saved"} View */

/** @param {View} view */
function show(view) {
  body.dataset.view = view;
  find("license", HTMLFormElement).hidden = view !== "license";
  find("bench", HTMLElement).hidden = view === "license";
  const steps = { photo: "photo", camera: "photo", working: "working", points: "points", preview: "preview", saved: "saved" };
  for (const step of ["photo", "working", "points", "preview", "saved"]) {
    find(`step-${step}`, HTMLElement).hidden = view === "license" || steps[view] !== step;
  }
  find("drop", HTMLElement).hidden = view !== "photo" || chosen !== null;
  photo.hidden = !(view === "working" || (view === "photo" && chosen !== null)) || !photo.src;
  find("camera", HTMLVideoElement).hidden = view !== "camera";
  find("editor", HTMLElement).hidden = view !== "points";
  film.hidden = view !== "preview" || !film.src;
  poster.hidden = !(view === "saved" || (view === "preview" && film.hidden)) || !poster.src;
  find("badge", HTMLElement).hidden = view !== "preview" && view !== "saved";
  play.hidden = view !== "preview" || film.hidden || !film.paused;
  find("under-photo", HTMLElement).hidden = view !== "photo";
  find("choose-other", HTMLElement).hidden = chosen === null;
  find("open-camera", HTMLElement).hidden = !Camera.possible;
  find("under-camera", HTMLElement).hidden = view !== "camera";
  find("under-points", HTMLElement).hidden = view !== "points";
  const reached = { license: -1, photo: 0, camera: 0, working: 1, points: 1, preview: 2, saved: 3 }[view];
  for (const [index, item] of [...find("way", HTMLElement).children].entries()) {
    item.toggleAttribute("data-done", index < reached);
    if (index === reached) {
      item.setAttribute("aria-current", "step");
    } else {
      item.removeAttribute("aria-current");
    }
  }
  if (view !== "preview") {
    film.pause();
  }
  if (view !== "camera") {
    camera.close();
  }
}

/** Let people who do not see the page know where they are. */
function focusHeading() {
  const heading = document.querySelector(".step:not([hidden]) h1, .license:not([hidden]) h1");
  if (heading instanceof HTMLElement) {
    heading.focus({ preventScroll: true });
  }
  scrollTo({ top: 0 });
}

/**
 * @param {string} code
 * @param {string} message
 */
function complain(code, message) {
  find("alert-title", HTMLElement).textContent = TITLES[/** @type {keyof typeof TITLES} */ (code)] ?? "This did not work";
  find("alert-text", HTMLElement).textContent = sentence(message);
  find("alert", HTMLElement).hidden = false;
  find("alert", HTMLElement).scrollIntoView({ block: "nearest" });
}

/** @param {string} text  with a capital letter and a full stop, or without */
function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/u.test(begun) ? begun : `${begun}.`;
}

function calm() {
  find("alert", HTMLElement).hidden = true;
  for (const id of ["name-error", "consent-error"]) {
    find(id, HTMLElement).textContent = "";
  }
  name.removeAttribute("aria-invalid");
  consent.removeAttribute("aria-invalid");
}

/** @param {unknown} error */
function refuse(error) {
  if (error instanceof DOMException && error.name === "AbortError") {
    return;
  }
  if (!(error instanceof Refused)) {
    throw error;
  }
  if (error.code === "invalid_license") {
    askForLicense();
    return;
  }
  if (error.code === "unknown_draft") {
    forget();
    start();
  }
  if (error.code === "name_taken" || error.code === "name_invalid") {
    show("photo");
    wrong(name, "name-error", error.message);
    return;
  }
  complain(error.code, error.message);
}

/**
 * @param {HTMLInputElement} field
 * @param {string} place
 * @param {string} message
 */
function wrong(field, place, message) {
  find(place, HTMLElement).textContent = message;
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

/**
 * An address for a blob, which is given back with the draft.
 *
 * @param {Blob} blob
 */
function addressOf(blob) {
  const address = URL.createObjectURL(blob);
  addresses.push(address);
  return address;
}

/** Begin something, and end what was under way. */
function begin() {
  turn.abort();
  turn = new AbortController();
  calm();
  return turn.signal;
}

/**
 * @param {number} time  milliseconds
 * @param {AbortSignal} signal
 */
function pause(time, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, time, undefined);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve(undefined)), { once: true });
  });
}

/* The license */

function askForLicense() {
  show("license");
  focusHeading();
}

find("license", HTMLFormElement).addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = find("license-field", HTMLInputElement).value.trim();
  keepLicense(given);
  portraits = new Portraits(given);
  await enter();
  if (body.dataset.view === "license") {
    find("license-title", HTMLElement).textContent = "This license is not valid";
  }
});

/** Ask the server what it offers, then go on where this tab was. */
async function enter() {
  try {
    offer = await portraits.offer();
  } catch (error) {
    // A server that needs no license here may know nothing of one that is kept from before.
    const kept = portraits.license;
    if (!(error instanceof Refused) || error.code !== "invalid_license" || !kept) {
      refuse(error);
      return;
    }
    portraits = new Portraits("");
    try {
      offer = await portraits.offer();
    } catch (second) {
      refuse(second);
      return;
    }
  }
  find("statement", HTMLElement).textContent = offer.statement;
  find("most", HTMLElement).textContent = String(Math.floor(offer.maxBytes / 2 ** 20));
  find("by-hand", HTMLElement).hidden = offer.findsFaces;
  name.maxLength = offer.maxName;
  for (const select of [voice, otherVoice]) {
    select.replaceChildren(...offer.voices.map(({ name, label }) => make("option", { value: name }, label)));
  }
  find("voices", HTMLElement).hidden = find("preview-voices", HTMLElement).hidden = offer.voices.length < 2;
  const stages = [{ name: "upload", label: "uploading the photo" }, ...offer.stages];
  find("stages", HTMLElement).replaceChildren(
    ...stages.map((stage) => make("li", { "data-stage": stage.name }, stage.label.charAt(0).toUpperCase() + stage.label.slice(1))),
  );
  const id = kept();
  if (!id) {
    start();
    return;
  }
  try {
    await follow(await portraits.draft(id), begin());
  } catch (error) {
    forget();
    start();
    if (!(error instanceof Refused) || error.code !== "unknown_draft") {
      refuse(error);
    }
  }
}

/* The draft that this tab is about */

function kept() {
  try {
    return sessionStorage.getItem(DRAFT) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} id */
function keep(id) {
  try {
    sessionStorage.setItem(DRAFT, id);
  } catch {
    // Without storage, a page that is loaded anew begins anew.
  }
}

function forget() {
  draft = null;
  chosen = null;
  keep("");
  for (const address of addresses.splice(0)) {
    URL.revokeObjectURL(address);
  }
  for (const element of [photo, poster, film]) {
    element.removeAttribute("src");
  }
  film.load();
  editor.close();
}

function start() {
  show("photo");
  document.title = "Your own avatar · visavis";
}

async function discard() {
  const id = draft?.id;
  begin();
  forget();
  start();
  focusHeading();
  if (id) {
    await portraits.discard(id).catch((error) => {
      if (!(error instanceof Refused) || error.code !== "unknown_draft") {
        refuse(error);
      }
    });
  }
}

/* The photo */

/** @param {File | null | undefined} given */
function choose(given) {
  if (!given) {
    return;
  }
  begin();
  if (!KINDS.includes(given.type)) {
    complain("not_an_image", "Choose a photo in JPEG, PNG or WebP. Phones can save such a copy of any photo.");
    return;
  }
  if (given.size > offer.maxBytes) {
    complain("too_large", `It may have ${Math.floor(offer.maxBytes / 2 ** 20)} MB at most. Save it smaller.`);
    return;
  }
  chosen = given;
  photo.src = addressOf(given);
  show("photo");
}

file.addEventListener("change", () => {
  choose(file.files?.[0]);
  // The same file may be chosen again.
  file.value = "";
});
photo.addEventListener("error", () => {
  if (chosen) {
    chosen = null;
    photo.removeAttribute("src");
    show("photo");
    complain("not_an_image", "The file is damaged, or no photo. Choose another one.");
  }
});
for (const type of ["dragover", "dragleave", "drop"]) {
  addEventListener(type, (event) => {
    const dragged = /** @type {DragEvent} */ (event);
    const taking = body.dataset.view === "photo" && Boolean(dragged.dataTransfer?.types.includes("Files"));
    picture.toggleAttribute("data-over", taking && type === "dragover");
    if (taking) {
      dragged.preventDefault();
    }
    if (taking && type === "drop") {
      choose(dragged.dataTransfer?.files[0]);
    }
  });
}

find("open-camera", HTMLElement).addEventListener("click", async () => {
  begin();
  try {
    await camera.open();
    show("camera");
    find("shoot", HTMLElement).focus();
  } catch {
    camera.close();
    complain("camera", "Allow this page to use it, or choose a photo instead.");
  }
});
find("shoot", HTMLElement).addEventListener("click", async () => {
  choose(await camera.shoot());
  find("choose-other", HTMLElement).focus();
});
find("close-camera", HTMLElement).addEventListener("click", () => {
  show("photo");
  find("open-camera", HTMLElement).focus();
});

find("step-photo", HTMLFormElement).addEventListener("submit", async (event) => {
  event.preventDefault();
  calm();
  if (!chosen) {
    complain("photo", "");
    find("alert-title", HTMLElement).textContent = "A photo is needed";
    find("alert-text", HTMLElement).textContent = "Choose one, drop one here, or use the camera.";
    return;
  }
  if (!name.value.trim()) {
    wrong(name, "name-error", "Give the avatar a name.");
    return;
  }
  if (!consent.checked) {
    wrong(consent, "consent-error", "Without the consent of the person in the photo no avatar is made.");
    return;
  }
  await upload(chosen);
});

/** The draft of before, if it is there still; one that was begun with another name or voice is discarded. */
async function same() {
  if (!draft) {
    return null;
  }
  try {
    if (draft.name === name.value.trim() && draft.voice === voice.value) {
      return await portraits.draft(draft.id);
    }
    await portraits.discard(draft.id);
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== "unknown_draft") {
      throw error;
    }
  }
  return null;
}

/** @param {File} given */
async function upload(given) {
  const signal = begin();
  try {
    const before = await same();
    draft = null;
    draft = before ?? (await portraits.begin(name.value, offer.statement, voice.value));
    keep(draft.id);
    if (signal.aborted) {
      return;
    }
    work("upload", 0);
    const sent = await portraits.upload(draft.id, given, (share) => work("upload", share * 0.1), signal);
    await follow(sent, signal);
  } catch (error) {
    if (body.dataset.view === "working") {
      show("photo");
    }
    refuse(error);
  }
}

/* The build */

/**
 * @param {string} stage
 * @param {number} share  0–1
 * @param {number} [ahead]  how many are made before this one
 */
function work(stage, share, ahead = 0) {
  const title = find("working-title", HTMLElement);
  if (body.dataset.view !== "working") {
    show("working");
    title.textContent = `Making ${draft?.name ?? "the avatar"}`;
    focusHeading();
  }
  const items = [...find("stages", HTMLElement).children];
  const now = items.findIndex((item) => item instanceof HTMLElement && item.dataset.stage === stage);
  for (const [index, item] of items.entries()) {
    const state = index < now ? "done" : index === now ? "now" : "";
    item.toggleAttribute("data-done", state === "done");
    item.toggleAttribute("data-now", state === "now");
  }
  const percent = Math.round(share * 100);
  const bar = find("bar", HTMLElement);
  bar.setAttribute("aria-valuenow", String(percent));
  bar.style.setProperty("--part", String(share));
  const text =
    ahead > 0
      ? `Waiting: ${ahead === 1 ? "one avatar is" : `${ahead} avatars are`} made before this one.`
      : (items[now]?.textContent ?? "In a moment");
  const place = find("working-text", HTMLElement);
  if (place.textContent !== text) {
    place.textContent = text;
  }
}

/**
 * Watch a draft until a person has to do something.
 *
 * @param {Draft} first
 * @param {AbortSignal} signal
 */
async function follow(first, signal) {
  draft = first;
  keep(draft.id);
  name.value ||= draft.name;
  let patience = 5;
  while (draft.state === "waiting" || draft.state === "building") {
    work(draft.state === "waiting" ? "" : draft.stage, 0.1 + 0.9 * draft.share, draft.ahead);
    await pause(POLL, signal);
    if (signal.aborted) {
      return;
    }
    try {
      /** @type {Draft} */
      const next = await portraits.draft(draft.id);
      draft = next;
      patience = 5;
    } catch (error) {
      // A network that is away for a moment is no reason to give up.
      if (!(error instanceof Refused) || error.code !== "network" || (patience -= 1) === 0) {
        throw error;
      }
    }
  }
  await arrive(draft, signal);
}

/**
 * @param {Draft} now
 * @param {AbortSignal} signal
 */
async function arrive(now, signal) {
  if (now.state === "points" || (now.state === "ready" && now.error && now.error.code !== "failed")) {
    await openPoints(signal);
  } else if (now.state === "ready") {
    await openPreview(now, signal);
  } else {
    chosen = now.error && NO_PHOTO.includes(now.error.code) ? null : chosen;
    show("photo");
  }
  if (now.error && !signal.aborted) {
    const misplaced = body.dataset.view === "points" && SEEN_AT_POINTS.includes(now.error.code);
    complain(now.error.code, misplaced ? `${sentence(now.error.message)} ${MISPLACED}` : now.error.message);
  }
  focusHeading();
}

find("cancel", HTMLElement).addEventListener("click", async () => {
  const again = chosen;
  await discard();
  if (again) {
    choose(again);
  }
});

/* The points */

/** @param {AbortSignal} signal */
async function openPoints(signal) {
  if (!draft?.face) {
    return;
  }
  const upright = await portraits.picture(draft.id, "photo");
  if (signal.aborted) {
    return;
  }
  await editor.open(upright, draft.face);
  glasses.checked = draft.face.glasses;
  const unsure = Object.values(draft.face.confidence).filter((share) => share < 0.5).length;
  find("points-title", HTMLElement).textContent = draft.face.sure ? "Is everything in its place?" : "Please place the points";
  find("points-text", HTMLElement).textContent = draft.face.sure
    ? "These are the points that were found. The avatar is made anew of what you correct."
    : unsure
      ? "It is not certain where eyes and mouth are. Look at the points, and move those in orange to their places."
      : "It is not certain where eyes and mouth are. Look whether each point is in its place.";
  find("where", HTMLElement).textContent = "";
  find("leave-points", HTMLElement).textContent = draft.built ? "Back" : "Another photo";
  show("points");
  editor.show("face");
}

editor.onchange = (/** @type {string} */ told) => (find("where", HTMLElement).textContent = told);
find("reset-points", HTMLElement).addEventListener("click", () => {
  editor.reset();
  editor.show("face");
});
find("rebuild", HTMLElement).addEventListener("click", async () => {
  if (!draft) {
    return;
  }
  const signal = begin();
  try {
    await follow(await portraits.change(draft.id, { points: editor.points, glasses: glasses.checked }), signal);
  } catch (error) {
    refuse(error);
  }
});
find("leave-points", HTMLElement).addEventListener("click", async () => {
  if (!draft?.built) {
    await discard();
    return;
  }
  try {
    await openPreview(draft, begin());
    focusHeading();
  } catch (error) {
    refuse(error);
  }
});

/* The preview */

/**
 * @param {Draft} now
 * @param {AbortSignal} signal
 */
async function openPreview(now, signal) {
  const [still, moving] = await Promise.all([
    portraits.picture(now.id, "poster"),
    now.film ? portraits.picture(now.id, "film") : null,
  ]);
  if (signal.aborted) {
    return;
  }
  poster.src = addressOf(still);
  poster.alt = now.name;
  if (moving) {
    film.src = addressOf(moving);
    film.setAttribute("aria-label", `${now.name}, an AI avatar, says a sentence`);
  } else {
    film.removeAttribute("src");
  }
  find("preview-title", HTMLElement).textContent = `Meet ${now.name}`;
  find("preview-text", HTMLElement).textContent = moving
    ? "This is how the avatar moves and speaks. It is kept only when you save it."
    : "The voice of this server could not be heard just now, so here is a picture alone. It is kept only when you save it.";
  find("warnings", HTMLElement).replaceChildren(
    ...now.warnings.map((text) => make("li", {}, sentence(text))),
  );
  find("save", HTMLElement).textContent = `Save ${now.name}`;
  otherVoice.value = now.voice || (offer.voices[0]?.name ?? "");
  hear.disabled = true;
  document.title = `${now.name} · visavis`;
  show("preview");
  if (moving && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
    // Browsers may want a click first: then the button is there.
    await film.play().catch(() => undefined);
  }
}

for (const type of ["play", "pause", "ended"]) {
  film.addEventListener(type, () => {
    play.hidden = !film.paused || film.hidden;
    find("play-text", HTMLElement).textContent = film.ended ? "Play again" : "Play";
  });
}
film.addEventListener("error", () => {
  // A browser that cannot play it shows the picture.
  if (film.getAttribute("src")) {
    film.removeAttribute("src");
    show(/** @type {View} */ (body.dataset.view));
  }
});
play.addEventListener("click", () => void film.play());
film.addEventListener("click", () => film.pause());

otherVoice.addEventListener("change", () => (hear.disabled = otherVoice.value === draft?.voice));
hear.addEventListener("click", async () => {
  if (!draft) {
    return;
  }
  const signal = begin();
  try {
    await follow(await portraits.change(draft.id, { voice: otherVoice.value }), signal);
  } catch (error) {
    refuse(error);
  }
});
find("adjust", HTMLElement).addEventListener("click", async () => {
  try {
    await openPoints(begin());
    focusHeading();
  } catch (error) {
    refuse(error);
  }
});
find("discard", HTMLElement).addEventListener("click", () => void discard());

find("save", HTMLElement).addEventListener("click", async () => {
  if (!draft) {
    return;
  }
  const saving = find("save", HTMLButtonElement);
  begin();
  saving.disabled = true;
  try {
    const saved = await portraits.save(draft.id);
    if (saved.token) {
      // This server asks nobody for a license to make avatars, but every call needs one: this avatar's own.
      keepLicense(saved.token);
    }
    keep("");
    draft = null;
    const talk = find("talk", HTMLAnchorElement);
    talk.href = `../?avatarId=${encodeURIComponent(saved.avatarId)}`;
    talk.textContent = `Talk with ${saved.name}`;
    find("saved-title", HTMLElement).textContent = `${saved.name} is ready`;
    show("saved");
    focusHeading();
  } catch (error) {
    refuse(error);
  } finally {
    saving.disabled = false;
  }
});
find("again", HTMLElement).addEventListener("click", () => {
  forget();
  name.value = "";
  consent.checked = false;
  start();
  focusHeading();
});

setInterval(() => {
  if (draft && (body.dataset.view === "points" || body.dataset.view === "preview")) {
    portraits.draft(draft.id).catch(refuse);
  }
}, STAY);

await enter();
