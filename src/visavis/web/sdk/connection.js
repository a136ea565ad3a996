import { isPicture } from "./backdrop.js";
import { credentialOf } from "./credential.js";
import { VisavisError, asVisavisError } from "./errors.js";
import { causeOf, isFarewell } from "./farewell.js";
import { Line, lineAddress } from "./line.js";
import { Wait } from "./wait.js";

/** How long the close may take after the server's last word, in milliseconds. */
const FAREWELL_MS = 1500;

/** @typedef {import("./wire.js").ServerMessage} ServerMessage */

/**
 * @typedef {object} Greeting  what the server says when it has taken a call
 * @property {string} id  the session's
 * @property {string} token  to come back with; "": the server keeps nothing
 * @property {boolean} persistent  also after hanging up, as far as the server says
 * @property {boolean} resumed  it is a session of before, as it was
 * @property {RTCIceServer[]} iceServers
 */

/**
 * @typedef {object} ConnectionHandlers
 * @property {() => void} onOpen  the line is open; nothing was heard yet
 * @property {(greeting: Greeting) => void} onGreeting
 * @property {(name: import("./connection-state.js").StateName, queuePosition?: number) => void} onState
 * @property {(picture: import("./visavis.js").Picture) => void} onPicture  what is about to be sent
 * @property {(message: ServerMessage) => void} onMessage  whatever else the server says
 * @property {(error: VisavisError) => void} onFailed  it came to its end, by the server, the network or a wait; once
 */

/** One line to the server: dialled, greeted, waited for step by step, and at its end explained. */
export class Connection {
  #settings;
  #handlers;
  /** @type {Line | null} */
  #line = null;
  #over = new AbortController();
  #wait = new Wait((code) => this.#fail(new VisavisError(code)));
  /** The server's last word. @type {ServerMessage | null} */
  #farewell = null;
  #greeted = false;
  #prepared = false;
  #settled = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #closing;

  /**
   * @param {import("./options.js").Settings} settings
   * @param {ConnectionHandlers} handlers
   */
  constructor(settings, handlers) {
    this.#settings = settings;
    this.#handlers = handlers;
  }

  /** The server has said its last word. */
  get leaving() {
    return this.#farewell !== null;
  }

  /** Bytes that the network has not yet taken. */
  get backlog() {
    return this.#line?.backlog ?? 0;
  }

  /** @param {string} token  of the session to come back to, or "" */
  async dial(token) {
    const { server, avatarId, name, model, size, backdrop, canvas, timeouts } = this.#settings;
    try {
      const license = await credentialOf(this.#settings, this.#over.signal);
      // A picture of the page's own is too long for an address: the session sends it.
      const background = isPicture(backdrop.background) ? "" : backdrop.background;
      const transparent = canvas ? "1" : "";
      const query = { license, avatarId, name, model, states: "1", resume: token, size, background, transparent };
      this.#line = new Line(lineAddress(server, query), {
        onOpen: () => this.#handlers.onOpen(),
        onMessage: (message) => this.#take(message),
        onClose: (close) => this.#closed(close),
      });
      this.#wait.begin("answer", timeouts.answer, "no_answer");
    } catch (error) {
      if (!this.#over.signal.aborted) {
        this.#fail(asVisavisError(error));
      }
    }
  }

  /** @param {object} message */
  send(message) {
    this.#line?.send(message);
  }

  /** Picture and sound are there: nothing is waited for any more. */
  settle() {
    this.#settled = true;
    this.#wait.end();
  }

  /** @param {unknown} [why] */
  close(why) {
    this.#over.abort(why);
    this.#wait.end();
    clearTimeout(this.#closing);
    this.#line?.close();
  }

  /** @param {ServerMessage} message */
  #take(message) {
    const { type, data } = message;
    if (isFarewell(message)) {
      // The close that follows may say more exactly why.
      this.#farewell ??= message;
      this.#wait.end();
      this.#closing ??= setTimeout(() => this.#closed(null), FAREWELL_MS);
      return;
    }
    switch (type) {
      case "conversation.connected.success":
        this.#greet(data);
        break;
      case "conversation.connected.state":
        this.#progress(data);
        break;
      case "webrtc.signaling.offer":
        this.#progress({ state: "connecting" });
        this.#handlers.onMessage(message);
        break;
      default:
        this.#handlers.onMessage(message);
    }
  }

  /** @param {Record<string, any>} data */
  #greet(data) {
    this.#greeted = true;
    this.#handlers.onGreeting({
      id: String(data.sessionId ?? ""),
      token: typeof data.resumeToken === "string" ? data.resumeToken : "",
      persistent: data.persistent !== false,
      resumed: data.resumed === true,
      iceServers: Array.isArray(data.iceServers) ? data.iceServers : [],
    });
    if (typeof data.resumed === "boolean") {
      // This server tells the steps itself; the first one may be a queue.
      this.#wait.begin("preparing", this.#settings.timeouts.preparing, "no_answer");
    } else {
      this.#progress({ state: "preparing" });
    }
  }

  /** @param {Record<string, any>} data */
  #progress({ state, queuePosition, picture }) {
    const { timeouts } = this.#settings;
    if (this.#settled || this.#farewell || this.#over.signal.aborted) {
      return;
    }
    switch (state) {
      case "queued":
        this.#wait.begin("queue", timeouts.queue, "queue_timeout");
        this.#handlers.onState("SearchingForDigitalPerson", Number(queuePosition));
        break;
      case "preparing":
        this.#prepared = true;
        this.#wait.begin("preparing", timeouts.preparing, "no_answer");
        this.#handlers.onState("DownloadingAssets");
        break;
      case "connecting":
        if (!this.#prepared) {
          // A server may leave out what takes no time.
          this.#progress({ state: "preparing" });
        }
        if (picture) {
          this.#handlers.onPicture(pictureOf(picture));
        }
        this.#wait.begin("media", timeouts.media, "media_timeout");
        this.#handlers.onState("ConnectingToDigitalPerson");
        break;
    }
  }

  /** The server or the network closed the line. @param {CloseEvent | null} close */
  #closed(close) {
    this.#fail(causeOf(this.#farewell, close, { opened: this.#line?.opened ?? false, greeted: this.#greeted }));
  }

  /** @param {VisavisError} error */
  #fail(error) {
    if (!this.#over.signal.aborted) {
      this.close(error);
      this.#handlers.onFailed(error);
    }
  }
}

/** @param {Record<string, any>} data */
function pictureOf({ width, height, transparent, backgrounds }) {
  return Object.freeze({
    width: Number(width),
    height: Number(height),
    transparent: transparent === true,
    backgrounds: backgrounds === true,
  });
}
