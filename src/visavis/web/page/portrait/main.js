import { keepLicense } from "../address.js";
import { Portraits, Refused } from "./api.js";
import { fillStages, follow, upload } from "./build.js";
import { desk } from "./desk.js";
import { find, make } from "./dom.js";
import { lookAround, openPoints, openPreview } from "./look.js";
import { calm, complain, wrong } from "./notices.js";
import { choose, takePhotos } from "./photo.js";
import { editor, focusHeading, forget, show, start, view } from "./stage.js";

/** A draft that nobody asks for goes after a while. */
const STAY = 60_000;

const name = find("name", HTMLInputElement);
const voice = find("voice", HTMLSelectElement);
const otherVoice = find("preview-voice", HTMLSelectElement);
const consent = find("consent", HTMLInputElement);
const glasses = find("glasses", HTMLInputElement);

/**
 * Tell what the server, or the way to it, refused; anything else is a fault of this page.
 *
 * @param {unknown} error
 */
function refuse(error) {
  if (error instanceof DOMException && error.name === "AbortError") {
    return;
  }
  if (!(error instanceof Refused)) {
    throw error;
  }
  if (view() === "working") {
    show("photo");
  }
  switch (error.code) {
    case "invalid_license":
      show("license");
      focusHeading();
      return;
    case "name_taken":
    case "name_invalid":
      show("photo");
      wrong(name, error.message);
      return;
    case "unknown_draft":
      forget();
      start();
  }
  complain(error.code, error.message);
}

/**
 * Do something when an element is clicked; what is refused is told.
 *
 * @param {string} id
 * @param {() => Promise<void>} act
 */
function onClick(id, act) {
  find(id, HTMLElement).addEventListener("click", () => void act().catch(refuse));
}

/** Ask the server what it offers, then go on where this tab was. */
async function enter() {
  desk.offer = await offered();
  const { offer } = desk;
  find("statement", HTMLElement).textContent = offer.statement;
  find("most", HTMLElement).textContent = String(Math.floor(offer.maxBytes / 2 ** 20));
  find("by-hand", HTMLElement).hidden = offer.findsFaces;
  name.maxLength = offer.maxName;
  for (const select of [voice, otherVoice]) {
    select.replaceChildren(...offer.voices.map(({ name, label }) => make("option", { value: name }, label)));
  }
  find("voices", HTMLElement).hidden = find("preview-voices", HTMLElement).hidden = offer.voices.length < 2;
  fillStages();
  const id = desk.kept;
  if (!id) {
    start();
    return;
  }
  try {
    const draft = await desk.portraits.draft(id);
    name.value = draft.name;
    voice.value = draft.voice;
    await follow(draft, desk.begin());
  } catch (error) {
    forget();
    start();
    if (!(error instanceof Refused) || error.code !== "unknown_draft") {
      refuse(error);
    }
  }
}

async function offered() {
  try {
    return await desk.portraits.offer();
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== "invalid_license" || !desk.portraits.license) {
      throw error;
    }
    // A server that needs no license here may know nothing of one that is kept from before.
    desk.portraits = new Portraits("");
    return desk.portraits.offer();
  }
}

async function discard() {
  const id = desk.draft?.id;
  desk.begin();
  forget();
  start();
  focusHeading();
  if (id) {
    await desk.portraits.discard(id).catch((error) => {
      if (!(error instanceof Refused) || error.code !== "unknown_draft") {
        throw error;
      }
    });
  }
}

find("license", HTMLFormElement).addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = find("license-field", HTMLInputElement).value.trim();
  keepLicense(given);
  desk.portraits = new Portraits(given);
  await enter().catch(refuse);
  if (view() === "license") {
    find("license-title", HTMLElement).textContent = "This license is not valid";
  }
});

find("step-photo", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  calm();
  if (!desk.chosen) {
    complain("photo_needed", "Choose one, drop one here, or use the camera.");
  } else if (!name.value.trim()) {
    wrong(name, "Give the avatar a name.");
  } else if (!consent.checked) {
    wrong(consent, "Without the consent of the person in the photo no avatar is made.");
  } else {
    upload(desk.chosen, name.value, voice.value).catch(refuse);
  }
});

onClick("cancel", async () => {
  const again = desk.chosen;
  const gone = discard();
  choose(again);
  await gone;
});

onClick("rebuild", async () => {
  if (desk.draft) {
    const signal = desk.begin();
    const change = { points: editor.points, glasses: glasses.checked };
    await follow(await desk.portraits.change(desk.draft.id, change), signal);
  }
});

onClick("leave-points", async () => {
  if (!desk.draft?.built) {
    await discard();
    return;
  }
  await openPreview(desk.draft, desk.begin());
  focusHeading();
});

onClick("hear", async () => {
  if (desk.draft) {
    const signal = desk.begin();
    await follow(await desk.portraits.change(desk.draft.id, { voice: otherVoice.value }), signal);
  }
});

onClick("adjust", async () => {
  if (desk.draft) {
    await openPoints(desk.draft, desk.begin());
    focusHeading();
  }
});

onClick("discard", discard);

onClick("save", async () => {
  if (!desk.draft) {
    return;
  }
  const saving = find("save", HTMLButtonElement);
  desk.begin();
  saving.disabled = true;
  try {
    const saved = await desk.portraits.save(desk.draft.id);
    if (saved.token) {
      // This server asks nobody for a license to make avatars, but every call needs one: this avatar's own.
      keepLicense(saved.token);
    }
    desk.keep("");
    desk.draft = null;
    const talk = find("talk", HTMLAnchorElement);
    talk.href = `../?avatarId=${encodeURIComponent(saved.avatarId)}`;
    talk.textContent = `Talk with ${saved.name}`;
    find("saved-title", HTMLElement).textContent = `${saved.name} is ready`;
    show("saved");
    focusHeading();
  } finally {
    saving.disabled = false;
  }
});

onClick("again", async () => {
  forget();
  name.value = "";
  consent.checked = false;
  start();
  focusHeading();
});

setInterval(() => {
  if (desk.draft && ["points", "preview"].includes(view())) {
    desk.portraits.draft(desk.draft.id).catch(refuse);
  }
}, STAY);

takePhotos();
lookAround();
await enter().catch(refuse);
