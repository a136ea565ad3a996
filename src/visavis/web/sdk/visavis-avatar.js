import { Attributes, IDENTITY, OPTIONS } from "./component/attributes.js";
import { shortName } from "./component/cards.js";
import { explain } from "./component/explanations.js";
import { styleSheet } from "./component/look.js";
import { View } from "./component/view.js";
import { Visit } from "./component/visit.js";
import { WORDS } from "./component/words.js";
import { VisavisError } from "./errors.js";
import { listAvatars } from "./visavis.js";

/** @typedef {import("./visavis.js").Avatar} Avatar */
/** @typedef {import("./visavis.js").HistoryItem} HistoryItem */

/**
 * `<visavis-avatar>`: an avatar in any page, by one tag. Its attributes, events, slots, parts and custom properties are
 * described in docs/component.md.
 */
export class VisavisAvatar extends HTMLElement {
  static observedAttributes = [...IDENTITY, ...OPTIONS];

  /** Gets a client token; goes before the attributes. @type {(() => string | Promise<string>) | null} */
  tokenProvider = null;
  /** @type {readonly import("./visavis.js").Tool[]} */
  tools = [];
  /** @type {Readonly<Record<string, import("./visavis.js").Variable>>} */
  variables = {};
  /** What was said before the first call. @type {readonly (HistoryItem | string)[]} */
  history = [];
  /** @type {import("./visavis.js").Timeouts} */
  timeouts = {};
  /** In place of the component's own, by the error's code. @type {import("./component/cards.js").Explanations} */
  explanations = {};
  #attributes = new Attributes(this);
  /** @type {import("./component/words.js").Words} */
  #words = WORDS;
  #root = this.attachShadow({ mode: "open" });
  #view;
  /** @type {Visit | null} */
  #visit = null;
  /** @type {Promise<string> | null} */
  #connecting = null;
  /** What the server has for the visitor to choose from. @type {readonly Avatar[]} */
  #avatars = [];
  /** The one that is shown, when the server was asked for it. @type {Avatar | null} */
  #chosen = null;
  /** Of this element's calls, by avatar. @type {Map<string, readonly HistoryItem[]>} */
  #said = new Map();
  #called = false;
  #transparent = false;
  /** What is undone when the element leaves the page. @type {AbortController | null} */
  #present = null;
  /** Look-ups so far; the answer to any but the last is too late. */
  #lookUps = 0;
  /** What "Try again" does. @type {() => void} */
  #retry = () => {};

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [styleSheet()];
    this.#view = this.#build();
  }

  /** The present call's scene, for all that this element does not offer itself; null when there is none. */
  get scene() {
    return this.#visit?.scene ?? null;
  }

  /** "welcome", "connecting", "call" or "message". */
  get view() {
    return this.#view.current;
  }

  /** The avatar that is shown, as far as the server was asked for it. */
  get avatar() {
    return this.#chosen;
  }

  /** All texts but the explanations of errors. Setting some replaces those; not while there is a call. */
  get words() {
    return this.#words;
  }

  /** @param {Readonly<Partial<Record<import("./component/words.js").Word, string>>>} words */
  set words(words) {
    if (this.#visit) {
      throw new Error("the words cannot change during a call");
    }
    this.#words = Object.freeze({ ...WORDS, ...words });
    this.#view = this.#build();
    this.#showAvatar();
  }

  connectedCallback() {
    if (this.#present) {
      // Only moved. A video that leaves the document, be it for a moment, is paused by the browser.
      if (this.#visit?.connected) {
        this.#view.stage.video.play().catch(() => undefined);
      }
      return;
    }
    const present = new AbortController();
    this.#present = present;
    // A page that is left, or put into the browser's back-and-forward cache, has no call any more.
    addEventListener("pagehide", () => this.disconnect(), { signal: present.signal });
    void this.refresh().then(() => {
      if (this.#attributes.autoConnect && !present.signal.aborted) {
        this.#begin(this.#attributes.microphone);
      }
    });
  }

  disconnectedCallback() {
    // Moving an element takes it out and puts it in again: only one that stays out ends its call.
    setTimeout(() => {
      if (!this.isConnected) {
        this.#present?.abort();
        this.#present = null;
        this.#lookUps += 1;
        this.disconnect();
        this.#view.devices.close();
        this.#welcome();
      }
    });
  }

  /** Where browsers know `moveBefore()`, it calls this instead of the two above. */
  connectedMoveCallback() {}

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} after
   */
  attributeChangedCallback(name, before, after) {
    if (before === after) {
      return;
    }
    if (OPTIONS.includes(name)) {
      this.#applyOptions();
      if (name === "background" && !this.#view.devices.background) {
        this.scene?.setBackground(after || "own").catch((error) => console.warn(`visavis: ${error.message}`));
      }
    } else if (this.#present) {
      void this.refresh();
    }
  }

  /**
   * Begin a call. While one is being connected or stands, that one's promise.
   *
   * @param {import("./visavis.js").ConnectOptions & {microphone?: boolean}} [options]  `microphone`: false, to type
   *   instead of speaking
   * @returns {Promise<string>}  the session's id
   */
  connect({ microphone = this.#attributes.microphone, ...options } = {}) {
    this.#connecting ??= this.#call(microphone, options);
    return this.#connecting;
  }

  /** End the call. */
  disconnect() {
    this.scene?.disconnect();
  }

  /**
   * As if it had been said; false when there is no call.
   *
   * @param {string} text
   */
  sendText(text) {
    this.#view.stage.attend();
    return this.scene?.sendText(text) ?? false;
  }

  /** The avatar is silent at once; false when there is no call. */
  interrupt() {
    return this.scene?.interrupt() ?? false;
  }

  /** The visitor is still there, whatever it looks like. */
  keepAlive() {
    this.scene?.keepAlive();
    this.#view.stage.attend();
  }

  /** Let the visitor choose microphone, loudspeaker and volume. */
  openSettings() {
    return this.#view.devices.open();
  }

  /** Ask the server who is there, and show the face; done by itself when an attribute changes. */
  async refresh() {
    this.#lookUps += 1;
    const count = this.#lookUps;
    this.#showAvatar();
    const { poster, name, chooser, server, payer } = this.#attributes;
    if (poster && name && !chooser) {
      return;
    }
    try {
      const { tokenProvider, token, license } = payer;
      const credential = (await tokenProvider?.()) ?? token ?? license;
      const avatars = credential ? await listAvatars(server, credential) : [];
      if (credential && count === this.#lookUps) {
        this.#take(avatars);
      }
    } catch (thrown) {
      if (count === this.#lookUps) {
        const error = asError(thrown);
        this.#tell("error", error);
        // Where visitors come to choose, they have to know; elsewhere they are told when they call.
        if (chooser) {
          this.#explain(error, () => {
            this.#welcome();
            void this.refresh();
          });
        }
      }
    }
  }

  get #name() {
    return shortName(this.#chosen?.name ?? this.#attributes.name);
  }

  #build() {
    const view = new View(this.#words, {
      onText: (text) => this.sendText(text),
      onDevice: () => this.scene && view.stage.showDevices(this.scene),
    });
    const { welcome, progress, message, stage } = view;
    welcome.call.addEventListener("click", () => this.#begin(this.#attributes.microphone));
    welcome.byText.addEventListener("click", () => this.#begin(false));
    message.retry.addEventListener("click", () => this.#retry());
    message.byText.addEventListener("click", () => this.#begin(false));
    message.back.addEventListener("click", () => this.#welcome());
    progress.cancel.addEventListener("click", () => this.disconnect());
    stage.hangUp.addEventListener("click", () => this.disconnect());
    stage.mute.addEventListener("click", () => void this.#visit?.toggleMicrophone());
    stage.camera.addEventListener("click", () => void this.#visit?.toggleCamera());
    stage.settings.addEventListener("click", () => void this.openSettings());
    stage.stillHere.addEventListener("click", () => {
      this.keepAlive();
      stage.mute.focus({ preventScroll: true });
    });
    stage.unblock.addEventListener("click", async () => {
      await this.scene?.unblockAudio();
      stage.unblock.hidden = true;
    });
    this.#root.replaceChildren(view.element);
    return view;
  }

  #applyOptions() {
    const { audioOnly, captions, camera, language, muted, backgroundChooser } = this.#attributes;
    // A call goes on as it began.
    const transparent = this.scene ? this.#transparent : this.#attributes.transparent;
    this.#transparent = transparent;
    this.#view.options = {
      audioOnly,
      captions,
      camera: camera.offered,
      background: backgroundChooser,
      transparent,
      language,
    };
    if (this.scene) {
      this.scene.muted = muted;
    }
    if (this.view === "welcome") {
      this.#welcome();
    }
  }

  /** @param {readonly Avatar[]} avatars  that the server has */
  #take(avatars) {
    const { avatarId, name, chooser } = this.#attributes;
    const asked = avatarId || name;
    const found = avatarId
      ? avatars.find(({ id }) => id === avatarId)
      : (avatars.find((avatar) => avatar.name === name) ?? avatars.find((avatar) => shortName(avatar.name) === name));
    this.#avatars = chooser ? avatars : [];
    this.#chosen = found ?? (chooser || !asked ? avatars[0] : null) ?? null;
    this.#showAvatar();
    this.#tellChosen();
    if (chooser && (!this.#chosen || (asked && !found))) {
      this.#explain(new VisavisError("unknown_avatar"), () => this.#welcome());
    }
  }

  #showAvatar() {
    const { stage, welcome } = this.#view;
    stage.showPoster(this.#attributes.poster || this.#chosen?.picture || "", this.#name);
    welcome.offer(this.#avatars, this.#chosen?.id ?? "", (avatar) => {
      this.#chosen = avatar;
      stage.showPoster(avatar.picture, this.#name);
      this.#welcome();
      this.#tellChosen();
    });
    this.#applyOptions();
  }

  #tellChosen() {
    if (this.#chosen) {
      this.#tell("chosen", { ...this.#chosen, shortName: this.#name });
    }
  }

  /** @param {string} [title]  instead of the usual one */
  #welcome(title) {
    const { microphone } = this.#attributes;
    this.#view.welcome.show({ name: this.#name, called: this.#called, microphone, title });
    if (this.view !== "welcome") {
      this.#show("welcome");
    }
  }

  /**
   * @param {{code: import("./visavis.js").Code, message: string}} error
   * @param {() => void} retry  what "Try again" does
   */
  #explain(error, retry) {
    this.#retry = retry;
    this.#view.message.show(error, { name: this.#name || this.#words.stage, explanations: this.explanations });
    this.#show("message");
  }

  /** @param {import("./component/view.js").ViewName} view */
  #show(view) {
    this.#view.show(view, { name: this.#name });
    this.#tell("view", view);
  }

  /** As `connect`, from a button: what goes wrong is told on the element. @param {boolean} microphone */
  #begin(microphone) {
    this.connect({ microphone }).catch(() => undefined);
  }

  /**
   * @param {boolean} microphone
   * @param {import("./visavis.js").ConnectOptions} options
   */
  async #call(microphone, options) {
    const name = this.#name;
    const avatar = this.#chosen?.id ?? (this.#attributes.avatarId || this.#attributes.name);
    const retry = () => this.#begin(microphone);
    try {
      const visit = new Visit(this.#sceneOptions(microphone, avatar), {
        view: this.#view,
        words: this.#words,
        name,
        tell: (type, detail) => this.#tell(type, detail),
        onEnd: (details) => {
          this.#end(avatar);
          if (details.code === "aborted") {
            this.#welcome();
          } else if (details.code === "normal" || details.code === "conversation_ended") {
            this.#welcome(this.#words.ended);
          } else {
            // What keeps media from coming up is one thing, what tears them down another.
            const code = details.code === "media_failed" ? "connection_lost" : details.code;
            this.#explain({ code, message: details.message }, retry);
          }
        },
      });
      this.#visit = visit;
      this.#called = true;
      this.#applyOptions();
      this.#view.progress.begin(name, microphone);
      this.#show("connecting");
      const sessionId = await visit.connect(options);
      this.#show("call");
      return sessionId;
    } catch (thrown) {
      const error = asError(thrown);
      this.#end(avatar);
      if (error.name === "AbortError") {
        this.#welcome();
      } else {
        this.#tell("error", error);
        this.#explain(error, retry);
      }
      throw error;
    }
  }

  /** @param {string} avatar  whose call is over */
  #end(avatar) {
    if (this.#visit) {
      this.#said.set(avatar, this.#visit.scene.history);
      this.#visit.end();
    }
    this.#visit = null;
    this.#connecting = null;
  }

  /**
   * @param {boolean} microphone
   * @param {string} avatar
   * @returns {import("./visavis.js").SceneOptions}
   */
  #sceneOptions(microphone, avatar) {
    const { server, payer, avatarId, name, model, camera, audioOnly, persistence, size, background } = this.#attributes;
    return {
      server,
      ...payer,
      avatarId: (this.#chosen?.id ?? avatarId) || undefined,
      name: name || undefined,
      model,
      // A visitor who wants to speak is told when that does not work, and can go on by typing.
      requestedMediaDevices: { microphone, camera: camera.on },
      requiredMediaDevices: { microphone, camera: false },
      audioOnly,
      size,
      background: this.#view.devices.background || background,
      transparent: this.#attributes.transparent,
      sessionPersistence: persistence,
      tools: this.tools,
      variables: this.variables,
      history: this.#said.get(avatar) ?? this.history,
      timeouts: this.timeouts,
      ...this.#view.devices.chosen,
    };
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(`visavis-${type}`, { detail, bubbles: true, composed: true }));
  }
}

/**
 * @param {unknown} thrown
 * @returns {VisavisError}  itself, or what is wrong with the page's own part: its options or its token provider
 */
function asError(thrown) {
  if (thrown instanceof VisavisError) {
    return thrown;
  }
  return new VisavisError(thrown instanceof TypeError ? "bad_request" : "token_failed", {
    text: thrown instanceof Error ? `${thrown.message}.` : String(thrown),
    cause: thrown,
  });
}

export { explain };

if (!customElements.get("visavis-avatar")) {
  customElements.define("visavis-avatar", VisavisAvatar);
}
