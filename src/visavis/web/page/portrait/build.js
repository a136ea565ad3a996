import { Refused } from "./api.js";
import { desk } from "./desk.js";
import { find, make } from "./dom.js";
import { complain, sentence } from "./notices.js";
import { openPoints, openPreview } from "./look.js";
import { focusHeading, show, view } from "./stage.js";

/** @typedef {import("./api.js").Draft} Draft */

/** Milliseconds between two looks at a draft that is being made. */
const POLL = 400;
/** How often the network may be away meanwhile. */
const PATIENCE = 5;
/** What share of the way the upload is. */
const UPLOAD = 0.1;
/** What browsers may not even be able to show; every other photo that is refused stays to be seen. */
const NO_PHOTO = ["not_an_image", "too_large"];
/** What is looked for at the points, and not found there either when they are in a wrong place. */
const SEEN_AT_POINTS = ["covered", "eyes_closed", "turned_away"];
const MISPLACED = "If that is not so, a point is not in its place.";
/** A second click while a draft is begun is none. */
let beginning = false;

/** Show the stages that the server offers. */
export function fillStages() {
  const stages = [{ name: "upload", label: "uploading the photo" }, ...desk.offer.stages];
  find("stages", HTMLElement).replaceChildren(
    ...stages.map(({ name, label }) =>
      make("li", { "data-stage": name }, label.charAt(0).toUpperCase() + label.slice(1)),
    ),
  );
}

/**
 * Have an avatar made of a photo, and go on where a person is wanted.
 *
 * @param {File} given
 * @param {string} name
 * @param {string} voice
 */
export async function upload(given, name, voice) {
  if (beginning) {
    return;
  }
  const signal = desk.begin();
  const draft = await begun(name, voice);
  if (signal.aborted) {
    return;
  }
  work("upload", 0);
  const sent = await desk.portraits.upload(draft.id, given, (share) => work("upload", share * UPLOAD), signal);
  await follow(sent, signal);
}

/**
 * The draft of before, or a new one.
 *
 * @param {string} name
 * @param {string} voice
 */
async function begun(name, voice) {
  beginning = true;
  try {
    const before = await same(name, voice);
    desk.draft = null;
    const draft = (desk.draft = before ?? (await desk.portraits.begin(name, desk.offer.statement, voice)));
    desk.keep(draft.id);
    return draft;
  } finally {
    beginning = false;
  }
}

/**
 * The draft of before, if it is there still; one that was begun with another name or voice is discarded.
 *
 * @param {string} name
 * @param {string} voice
 */
async function same(name, voice) {
  const { draft, portraits } = desk;
  if (!draft) {
    return null;
  }
  try {
    if (draft.name === name.trim() && draft.voice === voice) {
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

/**
 * @param {string} stage
 * @param {number} share  0–1
 * @param {number} [ahead]  how many are made before this one
 */
function work(stage, share, ahead = 0) {
  if (view() !== "working") {
    show("working");
    find("working-title", HTMLElement).textContent = `Making ${desk.draft?.name ?? "the avatar"}`;
    focusHeading();
  }
  const items = [...find("stages", HTMLElement).querySelectorAll("li")];
  const now = items.findIndex((item) => item.dataset.stage === stage);
  for (const [index, item] of items.entries()) {
    item.toggleAttribute("data-done", index < now);
    item.toggleAttribute("data-now", index === now);
  }
  const bar = find("bar", HTMLElement);
  bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  bar.style.setProperty("--part", String(share));
  const waiting = ahead === 1 ? "one avatar is" : `${ahead} avatars are`;
  const text = ahead ? `Waiting: ${waiting} made before this one.` : (items[now]?.textContent ?? "In a moment");
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
export async function follow(first, signal) {
  let draft = (desk.draft = first);
  desk.keep(draft.id);
  let patience = PATIENCE;
  while (draft.state === "waiting" || draft.state === "building") {
    work(draft.state === "waiting" ? "" : draft.stage, UPLOAD + (1 - UPLOAD) * draft.share, draft.ahead);
    await pause(POLL, signal);
    if (signal.aborted) {
      return;
    }
    try {
      const now = await desk.portraits.draft(draft.id);
      if (signal.aborted) {
        return;
      }
      draft = desk.draft = now;
      patience = PATIENCE;
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      // A network that is away for a moment is no reason to give up.
      if (!(error instanceof Refused) || error.code !== "network" || (patience -= 1) === 0) {
        throw error;
      }
    }
  }
  await arrive(draft, signal);
}

/**
 * @param {Draft} draft
 * @param {AbortSignal} signal
 */
async function arrive(draft, signal) {
  const { error } = draft;
  if (draft.state === "points" || (draft.state === "ready" && error && error.code !== "failed")) {
    await openPoints(draft, signal);
  } else if (draft.state === "ready") {
    await openPreview(draft, signal);
  } else {
    if (error && NO_PHOTO.includes(error.code)) {
      desk.chosen = null;
    }
    show("photo");
  }
  if (signal.aborted) {
    return;
  }
  if (error) {
    const misplaced = view() === "points" && SEEN_AT_POINTS.includes(error.code);
    complain(error.code, misplaced ? `${sentence(error.message)} ${MISPLACED}` : error.message);
  }
  focusHeading();
}

/**
 * @param {number} time  milliseconds
 * @param {AbortSignal} signal  ends it early
 */
function pause(time, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, time, undefined);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve(undefined)), { once: true });
  });
}
