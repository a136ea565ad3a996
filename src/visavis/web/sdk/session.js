import { findAvatar } from "./avatars.js";
import { bounded, pause } from "./bounded.js";
import { Dialogue } from "./dialogue.js";
import { VisavisError, asVisavisError } from "./errors.js";
import { causeOf, isFarewell } from "./farewell.js";
import { Line, lineAddress } from "./line.js";
import { Media } from "./media.js";
import { Recovery, watchNetwork } from "./recovery.js";
import * as wire from "./wire.js";

/** How long the close may take after the server's last word, in milliseconds. */
const FAREWELL_MS = 1500;
/** Sound waiting in the socket, in bytes, above which new pieces are dropped: a little more than a second. */
const MOST_BACKLOG = 96 * 1024;
/** Messages held while there is no server to hear them; older ones are dropped. */
const MOST_HELD = 64;
/** Pauses before the tries to reach the server again, in milliseconds; the last one is repeated. */
const REDIAL_MS = Object.freeze([0, 500, 1000, 2000, 4000]);
/** What the server says of a session that it ends; whatever else it says to a visitor who comes back is a lost session. */
const ENDINGS = new Set(["session_timeout", "conversation_ended", "normal", "replaced", "control_disconnected"]);
/** What may be otherwise at the next try. */
const PASSING = new Set(["unreachable", "no_answer", "connection_lost", "shutting_down", "no_slot", "rate_limited"]);

/**
 * What a session tells its scene.
 *
 * @typedef {object} SessionHandlers
 * @property {(name: import("./connection-state.js").StateName, queuePosition?: number) => void} onState
 * @property {(caption: import("./captions.js").Caption) => void} onCaption
 * @property {(activity: import("./dialogue.js").Activity) => void} onActivity
 * @property {(expiring: {reason: string, seconds: number, message: string}) => void} onExpiring
 * @property {(flowing: boolean) => void} onMedia
 * @property {() => void} onBlocked
 * @property {(text: string) => void} onNotice
 * @property {(name: string, args: unknown) => void} onTool
 * @property {(items: unknown, variables: Record<string, unknown>) => void} onRestored
 * @property {(error: VisavisError) => void} onEnded  it stood, and is over
 */

/**
 * @typedef {object} SessionParts
 * @property {import("./options.js").Settings} settings
 * @property {import("./devices.js").Devices} devices
 * @property {import("./tools.js").ToolBox} tools
 * @property {import("./resume-tokens.js").ResumeTokens} tokens
 * @property {Readonly<Record<string, unknown>>} variables
 * @property {boolean} muted
 */

/**
 * One session with an avatar, from dialling to its end; over several connections where the network needs it.
 *
 * `starting` until picture and sound are there, then `standing`; `returning` while a lost connection is looked for.
 *
 * @typedef {"starting" | "standing" | "returning" | "ended"} Phase
 */
export class Session {
  #parts;
  #handlers;
  /** @type {Phase} */
  #phase = "starting";
  #id = "";
  #token = "";
  /** @type {Line | null} */
  #line = null;
  #media;
  #dialogue;
  #recovery;
  /** Aborted, with the cause, at the end. */
  #over = new AbortController();
  /** @type {PromiseWithResolvers<string>} */
  #begun = withResolvers();
  /** The server's last word. @type {wire.ServerMessage | null} */
  #farewell = null;
  /** Whether the server has taken this call, and whether it tells its states. */
  #greeted = false;
  #tellsStates = false;
  #resumed = false;
  /** The server takes sound and words. */
  #ready = false;
  /** @type {object[]} */
  #held = [];
  #flowing = true;
  #moving = true;
  #mediaUp = false;
  #dropped = 0;
  #redials = 0;
  #deadline = 0;
  /** Ends a pause between two tries. @type {AbortController | null} */
  #resting = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #waitsFor = "";

  /**
   * @param {SessionParts} parts
   * @param {SessionHandlers} handlers
   */
  constructor(parts, handlers) {
    this.#parts = parts;
    this.#handlers = handlers;
    const { settings, muted } = parts;
    this.#dialogue = new Dialogue({ onCaption: handlers.onCaption, onActivity: handlers.onActivity });
    this.#media = new Media(
      settings.element,
      { audioOnly: settings.audioOnly, muted },
      {
        send: (message) => this.#line?.send(message),
        onFlowing: () => this.#flows(),
        onConnection: (state) => this.#watchMedia(state),
        onMotion: (moving) => {
          this.#moving = moving;
          this.#weigh();
        },
        onBlocked: handlers.onBlocked,
        onError: (cause) => this.#signallingFailed(cause),
      },
    );
    this.#recovery = new Recovery(settings.timeouts.media, {
      restart: () => this.#media.restart(),
      onDeaf: () => this.#suspectLine(),
      onGivenUp: () => this.end(new VisavisError("media_failed")),
    });
  }

  get id() {
    return this.#id;
  }

  get activity() {
    return this.#dialogue.activity;
  }

  get playback() {
    return this.#media.playback;
  }

  /** Pieces of 20 ms that were not sent, because the network was too slow for them. */
  get droppedPieces() {
    return this.#dropped;
  }

  /**
   * @param {AbortSignal} signal  ends the session with its reason, until the promise is settled
   * @returns {Promise<string>}  the session's id, when the avatar is seen or heard
   * @throws {VisavisError}
   */
  async begin(signal) {
    const abort = () => this.end(signal.reason);
    signal.addEventListener("abort", abort);
    watchNetwork(() => this.#networkChanged(), this.#over.signal);
    this.#token = this.#parts.tokens.read();
    void this.#dial();
    try {
      return await this.#begun.promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** @param {string} text  typed by the visitor */
  sendText(text) {
    this.#say(wire.message(text));
    this.#say(wire.createResponse());
    this.#dialogue.typed(text);
  }

  interrupt() {
    this.playback.hush();
    this.#say(wire.cancelResponse());
  }

  keepAlive() {
    this.#say(wire.keepAlive());
  }

  /** @param {Readonly<Record<string, unknown>>} values */
  setVariables(values) {
    this.#say(wire.setVariables(values));
  }

  /** @param {import("./tools.js").Tool} tool */
  announce(tool) {
    this.#say(wire.announceTools([tool]));
  }

  /** @param {ArrayBuffer} pcm */
  sendAudio(pcm) {
    if (this.#line && this.#line.backlog > MOST_BACKLOG) {
      this.#dropped += 1;
    } else if (this.#ready) {
      this.#line?.send(wire.appendAudio(pcm));
    }
  }

  /**
   * @param {MediaStreamTrack | null} track
   * @returns {Promise<boolean>}  whether the avatar looks at it
   */
  async showCamera(track) {
    return this.#mediaUp ? this.#media.showCamera(track) : false;
  }

  /** @param {VisavisError} error  why */
  end(error) {
    if (this.#phase === "ended") {
      return;
    }
    const stood = this.#phase !== "starting";
    this.#phase = "ended";
    this.#over.abort(error);
    this.#recovery.stop();
    clearTimeout(this.#timer);
    this.#line?.close();
    this.#line = null;
    this.#media.close();
    this.#dialogue.end();
    if (error.code === "conversation_ended" || error.code === "no_session_to_resume") {
      this.#parts.tokens.forget();
    }
    this.#begun.reject(error);
    if (stood) {
      this.#handlers.onEnded(error);
    }
  }

  async #dial() {
    const { settings } = this.#parts;
    const { server, avatarId, name, model, timeouts } = settings;
    this.#greeted = this.#tellsStates = this.#ready = false;
    this.#farewell = null;
    try {
      const credential = await this.#credential();
      const query = { license: credential, avatarId, name, model, states: "1", resume: this.#token };
      const line = new Line(lineAddress(server, query), {
        onOpen: () => this.#introduce(),
        onMessage: (message) => this.#take(message),
        onClose: (close) => this.#closed(close),
      });
      this.#line = line;
      this.#limit("answer", timeouts.answer, "no_answer");
    } catch (error) {
      this.#failed(asVisavisError(error));
    }
  }

  /** @returns {Promise<string>} */
  async #credential() {
    const { credential, timeouts } = this.#parts.settings;
    /** @type {unknown} */
    let given;
    try {
      const asking = Promise.resolve(credential());
      given = await bounded(asking, { milliseconds: timeouts.token, code: "token_failed", signal: this.#over.signal });
    } catch (cause) {
      throw cause instanceof VisavisError ? cause : new VisavisError("token_failed", { cause });
    }
    if (typeof given !== "string" || given === "") {
      throw new VisavisError("token_failed", { text: "The license or token is empty." });
    }
    return given;
  }

  #introduce() {
    const tools = this.#parts.tools.all;
    if (tools.length > 0) {
      this.#line?.send(wire.announceTools(tools));
    }
  }

  /** @param {wire.ServerMessage} message */
  #take(message) {
    const { type, data } = message;
    if (isFarewell(message)) {
      // The close that follows may say more exactly why.
      this.#farewell ??= message;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#closed(null), FAREWELL_MS);
      return;
    }
    switch (type) {
      case "conversation.connected.success":
        this.#greet(message);
        break;
      case "conversation.connected.state":
        this.#progress(data);
        break;
      case "conversation.connected.warning":
        this.#handlers.onNotice(message.text);
        break;
      case "conversation.connected.expiring":
        this.#handlers.onExpiring({
          reason: String(data.reason ?? "sessionTimeout"),
          seconds: Number(data.seconds ?? 0),
          message: message.text,
        });
        break;
      case "conversation.connected.resumed":
        this.#handlers.onRestored(data.items, data.variables ?? {});
        break;
      case "realtime.session.created":
        this.#remind();
        break;
      case "realtime.session.updated":
        this.#ready = true;
        this.#parts.devices.start();
        for (const held of this.#held.splice(0)) {
          this.#line?.send(held);
        }
        break;
      case "webrtc.signaling.offer":
        this.#offered(data.sdp);
        break;
      case "webrtc.signaling.answer":
        this.#media.answer(data.sdp);
        break;
      case "webrtc.signaling.iceCandidate":
        this.#media.candidate(data.candidate);
        break;
      case "realtime.response.function_call_arguments.done":
        void this.#useTool(wire.toolCall(message));
        break;
      case "realtime.response.audio.done":
        this.playback.unhush();
        this.#dialogue.take(message);
        break;
      default:
        this.#dialogue.take(message);
    }
  }

  /** The server has taken the call. @param {wire.ServerMessage} message */
  #greet({ data }) {
    const id = String(data.sessionId ?? "");
    if (this.#phase === "returning" && id !== this.#id) {
      this.end(new VisavisError("connection_lost", { text: "The session could not be found again." }));
      return;
    }
    this.#id = id;
    this.#greeted = true;
    this.#resumed = data.resumed === true;
    this.#tellsStates = typeof data.resumed === "boolean";
    this.#media.iceServers = Array.isArray(data.iceServers) ? data.iceServers : [];
    if (typeof data.resumeToken === "string") {
      this.#token = data.resumeToken;
      this.#parts.tokens.keep(data.resumeToken);
    }
    if (!this.#tellsStates) {
      this.#prepares();
    }
    this.#limit("preparing", this.#parts.settings.timeouts.preparing, "no_answer");
  }

  /** @param {Record<string, any>} data */
  #progress({ state, queuePosition }) {
    const { timeouts } = this.#parts.settings;
    switch (state) {
      case "queued":
        this.#enter("SearchingForDigitalPerson", Number(queuePosition));
        this.#limit("queue", timeouts.queue, "queue_timeout");
        break;
      case "preparing":
        this.#prepares();
        this.#limit("preparing", timeouts.preparing, "no_answer");
        break;
      case "connecting":
        this.#enter("ConnectingToDigitalPerson");
        this.#limit("media", timeouts.media, "media_timeout");
        break;
    }
  }

  #prepares() {
    this.#enter("DownloadingAssets");
    void this.#showPoster();
  }

  async #showPoster() {
    const { element, poster, audioOnly, server, avatarId, name } = this.#parts.settings;
    if (!poster || audioOnly || !(element instanceof HTMLVideoElement) || element.poster || !(avatarId || name)) {
      return;
    }
    try {
      const { picture } = await findAvatar(server, await this.#credential(), { avatarId, name });
      if (this.#phase === "starting") {
        element.poster = picture;
      }
    } catch (error) {
      // The moving picture comes in a moment all the same.
      console.debug("visavis: no still picture", error);
    }
  }

  /** What a new session is to know from before. */
  #remind() {
    if (this.#resumed) {
      return;
    }
    const { settings, variables } = this.#parts;
    if (Object.keys(variables).length > 0) {
      this.#line?.send(wire.setVariables(variables));
    }
    for (const { role, content } of settings.history) {
      this.#line?.send(wire.message(content, role));
    }
  }

  /** @param {RTCSessionDescriptionInit} description */
  #offered(description) {
    this.#media.offer(description);
    this.#enter("ConnectingToDigitalPerson");
    if (this.#phase !== "standing") {
      this.#limit("media", this.#parts.settings.timeouts.media, "media_timeout");
    }
  }

  #flows() {
    if (this.#farewell || this.#phase === "ended") {
      return;
    }
    const first = this.#phase === "starting";
    clearTimeout(this.#timer);
    this.#waitsFor = "";
    this.#recovery.stop();
    this.#phase = "standing";
    this.#mediaUp = this.#moving = true;
    if (first) {
      this.#handlers.onState("Connected");
      this.#handlers.onActivity(this.#dialogue.activity);
      this.#begun.resolve(this.#id);
    }
    this.#weigh();
    const camera = this.#parts.devices.cameraTrack;
    if (camera) {
      void this.showCamera(camera).then((seen) => {
        if (!seen && this.#phase === "standing") {
          this.#handlers.onNotice("This avatar does not look at the camera.");
        }
      });
    }
  }

  /** @param {"connected" | "disconnected" | "failed"} state  of the media connection */
  #watchMedia(state) {
    this.#mediaUp = state === "connected";
    if (this.#farewell || this.#phase === "ended") {
      return;
    }
    this.#weigh();
    if (state === "connected") {
      this.#recovery.stop();
    } else if (this.#phase === "standing") {
      this.#recovery.begin();
    } else if (state === "failed") {
      this.#failed(new VisavisError("media_failed"));
    }
  }

  #networkChanged() {
    if (this.#phase === "standing") {
      this.#recovery.begin();
    } else {
      this.#resting?.abort();
    }
  }

  /** The server does not answer on the line, and media is down. */
  #suspectLine() {
    if (this.#phase === "standing" && this.#token) {
      this.#lost();
    }
  }

  /** Tell whether picture and sound arrive, when that has changed. */
  #weigh() {
    const flowing = this.#phase === "standing" && this.#mediaUp && this.#moving;
    if (this.#phase !== "starting" && this.#phase !== "ended" && flowing !== this.#flowing) {
      this.#flowing = flowing;
      this.#handlers.onMedia(flowing);
    }
  }

  /** The server or the network closed the line. @param {CloseEvent | null} close */
  #closed(close) {
    const progress = { opened: this.#line?.opened ?? false, greeted: this.#greeted };
    this.#failed(causeOf(this.#farewell, close, progress));
  }

  /** It does not go on over this line. @param {VisavisError} error */
  #failed(error) {
    if (this.#phase === "standing" && error.code === "connection_lost" && this.#token) {
      this.#lost();
    } else if (this.#phase !== "returning" || ENDINGS.has(error.code)) {
      this.end(error);
    } else if (PASSING.has(error.code) && performance.now() < this.#deadline) {
      void this.#redial();
    } else {
      if (error.code === "no_session_to_resume") {
        this.#parts.tokens.forget();
      }
      this.end(new VisavisError("connection_lost", { cause: error }));
    }
  }

  /** The line is gone without a word: look for the session again. */
  #lost() {
    const { reconnect } = this.#parts.settings.timeouts;
    this.#phase = "returning";
    this.#redials = 0;
    this.#deadline = performance.now() + (reconnect || Infinity);
    this.#recovery.stop();
    this.#dialogue.end();
    this.#weigh();
    void this.#redial();
  }

  async #redial() {
    this.#line?.close();
    this.#line = null;
    this.#ready = false;
    clearTimeout(this.#timer);
    this.#waitsFor = "";
    this.#parts.devices.stop();
    const wait = REDIAL_MS[Math.min(this.#redials, REDIAL_MS.length - 1)];
    this.#redials += 1;
    this.#resting = new AbortController();
    try {
      await pause(wait, AbortSignal.any([this.#resting.signal, this.#over.signal]));
    } catch {
      // The network is back: at once.
    }
    this.#resting = null;
    if (this.#phase === "returning") {
      await this.#dial();
    }
  }

  /** @param {unknown} cause */
  #signallingFailed(cause) {
    if (this.#phase === "standing") {
      // A camera or a new path that could not be agreed upon: what stands goes on.
      console.warn("visavis: signalling failed", cause);
    } else {
      this.#failed(new VisavisError("media_failed", { cause }));
    }
  }

  /** @param {wire.ToolCall} request */
  async #useTool({ callId, responseId, name, args }) {
    this.#dialogue.usesTool(responseId);
    this.#handlers.onTool(name, args);
    const output = await this.#parts.tools.run(name, args);
    this.#say(wire.toolResult(callId, output));
    this.#say(wire.createResponse());
  }

  /** Send now, or as soon as the server hears. @param {object} message */
  #say(message) {
    if (this.#phase === "ended") {
      return;
    }
    if (this.#ready) {
      this.#line?.send(message);
    } else {
      this.#held = [...this.#held, message].slice(-MOST_HELD);
    }
  }

  /**
   * @param {import("./connection-state.js").StateName} name
   * @param {number} [queuePosition]
   */
  #enter(name, queuePosition) {
    if (this.#phase === "starting") {
      this.#handlers.onState(name, queuePosition);
    }
  }

  /**
   * Wait for the next step, at most so long.
   *
   * @param {string} what  a wait that is under way goes on
   * @param {number} milliseconds
   * @param {import("./errors.js").Code} code
   */
  #limit(what, milliseconds, code) {
    if (this.#waitsFor === what || this.#farewell) {
      return;
    }
    this.#waitsFor = what;
    clearTimeout(this.#timer);
    if (milliseconds > 0) {
      this.#timer = setTimeout(() => this.#failed(new VisavisError(code)), milliseconds);
    }
  }
}

/** `Promise.withResolvers`, which browsers of before 2024 have not. @returns {PromiseWithResolvers<string>} */
function withResolvers() {
  /** @type {any} */
  const made = {};
  made.promise = new Promise((resolve, reject) => {
    made.resolve = resolve;
    made.reject = reject;
  });
  return made;
}
