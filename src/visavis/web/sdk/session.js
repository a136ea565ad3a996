import { isPicture } from "./backdrop.js";
import { Connection } from "./connection.js";
import { Dialogue } from "./dialogue.js";
import { VisavisError } from "./errors.js";
import { Flow } from "./flow.js";
import { Media } from "./media.js";
import { Outbox } from "./outbox.js";
import { showPoster } from "./poster.js";
import { Recovery, watchNetwork } from "./recovery.js";
import { Redial } from "./redial.js";
import { TransparentCanvas } from "./transparent-canvas.js";
import * as wire from "./wire.js";

/** Sound waiting in the socket, in bytes, above which new pieces are dropped: a little more than a second. */
const MOST_BACKLOG = 96 * 1024;
/** What the server says of a session that it ends; anything else it says to who comes back means that it is lost. */
const ENDINGS = new Set(["session_timeout", "conversation_ended", "normal", "replaced", "control_disconnected"]);
/** What may be otherwise at the next try. */
const PASSING = new Set(["unreachable", "no_answer", "connection_lost", "shutting_down", "no_slot", "rate_limited"]);

/** @typedef {import("./visavis.js").Variable} Variable */

/**
 * What a session tells its scene.
 *
 * @typedef {object} SessionHandlers
 * @property {(name: import("./connection-state.js").StateName, queuePosition?: number) => void} onState
 * @property {(caption: import("./captions.js").Caption) => void} onCaption
 * @property {(activity: import("./dialogue.js").Activity) => void} onActivity
 * @property {(expiring: import("./visavis.js").Expiring) => void} onExpiring
 * @property {(flowing: boolean) => void} onMedia
 * @property {() => void} onBlocked
 * @property {(text: string) => void} onNotice
 * @property {(name: string, args: unknown) => void} onTool
 * @property {(items: unknown, variables: Record<string, Variable>) => void} onRestored
 * @property {(error: VisavisError) => void} onEnded  it stood, and is over
 */

/**
 * @typedef {object} SessionParts
 * @property {import("./options.js").Settings} settings
 * @property {import("./devices.js").Devices} devices
 * @property {import("./tools.js").ToolBox} tools
 * @property {import("./resume-tokens.js").ResumeTokens} tokens
 * @property {Readonly<Record<string, Variable>>} variables
 * @property {boolean} muted
 */

/**
 * One session with an avatar, from dialling to its end; over several connections where the network needs it.
 *
 * It is `starting` until picture and sound are there, then `standing`, and `returning` while a lost connection is
 * looked for.
 */
export class Session {
  #parts;
  #handlers;
  /** @type {"starting" | "standing" | "returning" | "ended"} */
  #phase = "starting";
  #id = "";
  #token = "";
  /** @type {Connection | null} */
  #connection = null;
  #media;
  #dialogue;
  #recovery;
  /** @type {Redial | null} */
  #redial = null;
  /** Aborted at the end. */
  #over = new AbortController();
  /** Settled when the session stands or has failed. @type {(error: VisavisError | null) => void} */
  #settle = () => undefined;
  #resumed = false;
  #persistent = true;
  #outbox = new Outbox();
  #flow;
  #dropped = 0;
  /** @type {TransparentCanvas | null} */
  #canvas = null;
  /** @type {import("./visavis.js").Picture | null} */
  #picture = null;

  /**
   * @param {SessionParts} parts
   * @param {SessionHandlers} handlers
   */
  constructor(parts, handlers) {
    this.#parts = parts;
    this.#handlers = handlers;
    const { settings, muted } = parts;
    if (settings.canvas && settings.element instanceof HTMLVideoElement) {
      this.#canvas = new TransparentCanvas(settings.canvas, settings.element);
    }
    this.#flow = new Flow(handlers.onMedia);
    this.#dialogue = new Dialogue({ onCaption: handlers.onCaption, onActivity: handlers.onActivity });
    this.#media = new Media(
      settings.element,
      { audioOnly: settings.audioOnly, muted },
      {
        send: (message) => this.#connection?.send(message),
        onFlowing: () => this.#flows(),
        onConnection: (state) => this.#watchMedia(state),
        onMotion: (moving) => this.#flow.note({ moving }),
        onBlocked: handlers.onBlocked,
        onError: (cause) => this.#signallingFailed(cause),
      },
    );
    this.#recovery = new Recovery(settings.timeouts.media, {
      restart: () => this.#media.restart(),
      isUp: () => this.#flow.connected,
      onDeaf: () => this.#suspectLine(),
      onGivenUp: () => this.end(new VisavisError("media_failed")),
    });
  }

  get activity() {
    return this.#dialogue.activity;
  }

  get playback() {
    return this.#media.playback;
  }

  /** What the server sends; null before it says so. */
  get picture() {
    return this.#picture;
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
    try {
      await new Promise((resolve, reject) => {
        this.#settle = (error) => (error ? reject(error) : resolve(undefined));
        this.#dial();
      });
    } finally {
      signal.removeEventListener("abort", abort);
    }
    return this.#id;
  }

  /** Send now, or as soon as the server hears. @param {object} message */
  say(message) {
    this.#outbox.say(message);
  }

  /** @param {string} text  typed by the visitor */
  sendText(text) {
    this.say(wire.typed(text));
    this.#dialogue.typed(text);
  }

  interrupt() {
    this.playback.hush();
    this.say(wire.cancelResponse());
  }

  /** @param {ArrayBuffer} pcm */
  sendAudio(pcm) {
    const connection = this.#outbox.open ? this.#connection : null;
    if (connection && connection.backlog > MOST_BACKLOG) {
      this.#dropped += 1;
    } else {
      connection?.send(wire.appendAudio(pcm));
    }
  }

  /** Show the visitor's camera as it is now; it waits for the connection. */
  async showCamera() {
    const { devices } = this.#parts;
    const track = devices.cameraTrack;
    if (this.#phase !== "standing") {
      return;
    }
    const seen = await this.#media.showCamera(track);
    if (track && !seen && this.#phase === "standing" && devices.cameraTrack === track) {
      this.#handlers.onNotice("This avatar does not look at the camera.");
      await devices.setCamera(false);
    }
  }

  /** @param {VisavisError} error  why */
  end(error) {
    if (this.#phase === "ended") {
      return;
    }
    const stood = this.#phase !== "starting";
    this.#phase = "ended";
    this.#outbox.pause();
    this.#over.abort(error);
    this.#recovery.stop();
    this.#redial?.hurry();
    this.#connection?.close(error);
    this.#media.close();
    this.#canvas?.close();
    this.#dialogue.end();
    const hungUp = error.code === "aborted" && !this.#persistent;
    if (hungUp || error.code === "conversation_ended" || error.code === "no_session_to_resume") {
      this.#parts.tokens.forget();
    }
    this.#settle(error);
    if (stood) {
      this.#handlers.onEnded(error);
    }
  }

  #dial() {
    this.#connection = new Connection(this.#parts.settings, {
      onOpen: () => this.#introduce(),
      onGreeting: (greeting) => this.#greeted(greeting),
      onState: (name, queuePosition) => this.#progress(name, queuePosition),
      onPicture: (picture) => {
        this.#picture = picture;
        if (this.#canvas) {
          this.#canvas.cut = picture.transparent;
        }
      },
      onMessage: (message) => this.#take(message),
      onFailed: (error) => this.#failed(error),
    });
    void this.#connection.dial(this.#token);
  }

  #introduce() {
    const tools = this.#parts.tools.all;
    if (tools.length > 0) {
      this.#connection?.send(wire.announceTools(tools));
    }
  }

  /** @param {import("./connection.js").Greeting} greeting */
  #greeted({ id, token, persistent, resumed, iceServers }) {
    if (this.#phase === "returning" && id !== this.#id) {
      this.end(new VisavisError("connection_lost", { text: "The server has lost the session." }));
      return;
    }
    this.#id = id;
    this.#persistent = persistent;
    this.#resumed = resumed;
    this.#media.iceServers = iceServers;
    if (token) {
      this.#token = token;
      this.#parts.tokens.keep(token);
    }
  }

  /**
   * @param {import("./connection-state.js").StateName} name
   * @param {number} [queuePosition]
   */
  #progress(name, queuePosition) {
    if (this.#phase === "starting") {
      this.#handlers.onState(name, queuePosition);
      if (name === "DownloadingAssets") {
        void showPoster(this.#parts.settings, this.#over.signal);
      }
    }
  }

  /** @param {wire.ServerMessage} message */
  #take(message) {
    const { type, data, text } = message;
    switch (type) {
      case "conversation.connected.warning":
        this.#handlers.onNotice(text);
        break;
      case "conversation.connected.expiring":
        this.#handlers.onExpiring({
          reason: data.reason ?? "sessionTimeout",
          seconds: Number(data.seconds ?? 0),
          preventable: data.preventable !== false,
          message: text,
        });
        break;
      case "conversation.connected.resumed":
        this.#handlers.onRestored(data.items, data.variables ?? {});
        break;
      case "realtime.session.created":
        this.#remind();
        break;
      case "realtime.session.updated":
        this.#outbox.begin((held) => this.#connection?.send(held));
        this.#parts.devices.start();
        break;
      case "webrtc.signaling.offer":
        this.#media.offer(data.sdp);
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

  /** What a session is to know from before. */
  #remind() {
    const { settings, variables } = this.#parts;
    if (isPicture(settings.backdrop.background)) {
      this.#connection?.send(wire.setBackground(settings.backdrop.background));
    }
    if (this.#resumed) {
      return;
    }
    if (Object.keys(variables).length > 0) {
      this.#connection?.send(wire.setVariables(variables));
    }
    for (const { role, content } of settings.history) {
      this.#connection?.send(wire.message(content, role));
    }
  }

  /** @param {wire.ToolCall} request */
  async #useTool({ callId, responseId, name, args }) {
    this.#dialogue.usesTool(responseId);
    this.#handlers.onTool(name, args);
    const output = await this.#parts.tools.run(name, args);
    this.say(wire.toolResult(callId, output));
    this.say(wire.createResponse());
  }

  #flows() {
    if (this.#connection?.leaving || this.#phase === "ended") {
      return;
    }
    const first = this.#phase === "starting";
    this.#connection?.settle();
    this.#recovery.stop();
    this.#phase = "standing";
    if (first) {
      this.#handlers.onState("Connected");
      this.#handlers.onActivity(this.#dialogue.activity);
      this.#settle(null);
    }
    this.#flow.note({ standing: true, connected: true, moving: true });
    if (this.#parts.devices.cameraTrack) {
      void this.showCamera();
    }
  }

  /** @param {"connected" | "disconnected" | "failed"} state  of the media connection */
  #watchMedia(state) {
    if (this.#connection?.leaving) {
      return;
    }
    this.#flow.note({ connected: state === "connected" });
    if (state === "connected") {
      this.#recovery.stop();
    } else if (this.#phase === "standing") {
      this.#recovery.begin();
    } else if (this.#phase === "starting" && state === "failed") {
      this.end(new VisavisError("media_failed"));
    }
  }

  #networkChanged() {
    if (this.#phase === "standing") {
      this.#recovery.begin();
    } else {
      this.#redial?.hurry();
    }
  }

  /** The server does not answer where media needs it: the line is dead, and does not know it. */
  #suspectLine() {
    if (this.#phase === "standing" && this.#token) {
      this.#lose();
    }
  }

  /** It does not go on over this connection. @param {VisavisError} error */
  #failed(error) {
    if (this.#phase === "standing" && error.code === "connection_lost" && this.#token) {
      this.#lose();
    } else if (this.#phase !== "returning" || ENDINGS.has(error.code)) {
      this.end(error);
    } else if (PASSING.has(error.code) && !this.#redial?.late) {
      void this.#dialAgain();
    } else {
      if (error.code === "no_session_to_resume") {
        this.#parts.tokens.forget();
      }
      this.end(new VisavisError("connection_lost", { cause: error }));
    }
  }

  /** The line is gone without a word: look for the session again. */
  #lose() {
    this.#phase = "returning";
    this.#redial = new Redial(this.#parts.settings.timeouts.reconnect);
    this.#recovery.stop();
    this.#dialogue.end();
    this.#flow.note({ standing: false });
    void this.#dialAgain();
  }

  async #dialAgain() {
    this.#connection?.close();
    this.#outbox.pause();
    this.#parts.devices.stop();
    await this.#redial?.rest();
    if (this.#phase === "returning") {
      this.#dial();
    }
  }

  /** @param {unknown} cause */
  #signallingFailed(cause) {
    if (this.#phase === "starting") {
      this.end(new VisavisError("media_failed", { cause }));
    } else {
      // A camera or a new path that could not be agreed upon: what stands goes on, and has its own time limits.
      console.warn("visavis: signalling failed", cause);
    }
  }
}
