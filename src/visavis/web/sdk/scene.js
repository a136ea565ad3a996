import { pause } from "./bounded.js";
import { backdropOf } from "./backdrop.js";
import { ConnectionState } from "./connection-state.js";
import { Devices } from "./devices.js";
import { VisavisError, asVisavisError } from "./errors.js";
import { settle } from "./options.js";
import { ResumeTokens } from "./resume-tokens.js";
import { SceneEvent } from "./scene-event.js";
import { Session } from "./session.js";
import { ToolBox } from "./tools.js";
import { Transcript } from "./transcript.js";
import * as wire from "./wire.js";

/** Failures of kind `noScene` that waiting mends. */
const WORTH_A_RETRY = new Set(["no_slot", "queue_timeout", "license_limit", "rate_limited"]);
const EMOTIONS = Object.freeze(["neutral", "happy", "sad", "surprised", "concerned", "stern", "amused"]);
const RETRIES = Object.freeze({ maxRetries: 0, delayMs: 2000 });

/** @typedef {import("./visavis.js").HistoryItem} HistoryItem */
/** @typedef {import("./visavis.js").Variable} Variable */

/** A place on a page where an avatar is talked with; one session after another. `visavis.d.ts` says what all of it does. */
export class Scene {
  connectionState = new ConnectionState();
  /** @type {SceneEvent<[Scene, string, import("./errors.js").Reason, import("./visavis.js").DisconnectDetails]>} */
  onDisconnectedEvent = new SceneEvent();
  /** @type {SceneEvent<[import("./captions.js").Caption]>} */
  onCaption = new SceneEvent();
  /** @type {SceneEvent<[import("./dialogue.js").Activity]>} */
  onActivity = new SceneEvent();
  /** @type {SceneEvent<[import("./visavis.js").Expiring]>} */
  onExpiring = new SceneEvent();
  /** @type {SceneEvent<[{flowing: boolean}]>} */
  onMedia = new SceneEvent();
  /** @type {SceneEvent<[]>} */
  onAudioBlocked = new SceneEvent();
  /** @type {SceneEvent<[number]>} */
  onMicrophoneLevel = new SceneEvent();
  /** @type {SceneEvent<[VisavisError]>} */
  onMicrophoneLost = new SceneEvent();
  /** @type {SceneEvent<[string]>} */
  onNotice = new SceneEvent();
  /** @type {SceneEvent<[{name: string, args: unknown}]>} */
  onTool = new SceneEvent();
  /** @type {SceneEvent<[{history: readonly HistoryItem[], variables: Record<string, Variable>}]>} */
  onResumed = new SceneEvent();

  #settings;
  #tools;
  #tokens;
  #transcript;
  /** @type {Record<string, Variable>} */
  #variables;
  /** What `connect` asks for. */
  #requested;
  /** The devices to prefer; "": the browser's choice. */
  #preferred;
  #muted = false;
  /** @type {Devices | null} */
  #devices = null;
  /** @type {Session | null} */
  #session = null;
  #sessionId = "";
  /** The `connect` under way. @type {Promise<string> | null} */
  #connecting = null;
  /** The latest `setBackground`, without its failure. @type {Promise<void>} */
  #painted = Promise.resolve();
  /** Ends it. */
  #abort = new AbortController();

  /** @param {import("./visavis.js").SceneOptions} options */
  constructor(options) {
    this.#settings = settle(options);
    const { element, persistence, server, avatarId, name } = this.#settings;
    this.#tools = new ToolBox(options.tools ?? []);
    this.#tokens = new ResumeTokens(persistence, server, avatarId || name);
    this.#transcript = new Transcript(this.#settings.history);
    this.#variables = { ...options.variables };
    this.#requested = this.#settings.requested;
    this.#preferred = { microphone: options.microphoneId ?? "", camera: options.cameraId ?? "" };
    this.#muted = element.muted;
  }

  /** @param {import("./visavis.js").ConnectOptions} [options] @returns {Promise<string>} */
  connect({ retryOptions } = {}) {
    if (this.#session && !this.#connecting) {
      return Promise.resolve(this.#sessionId);
    }
    if (!this.#connecting) {
      this.#abort = new AbortController();
      this.#connecting = this.#connect({ ...RETRIES, ...retryOptions }, this.#abort);
    }
    return this.#connecting;
  }

  disconnect() {
    const error = new VisavisError("aborted");
    this.#abort.abort(error);
    this.#session?.end(error);
  }

  isConnected() {
    return this.connectionState.getConnectionState().name === "Connected";
  }

  keepAlive() {
    this.#session?.say(wire.keepAlive());
  }

  get sessionId() {
    return this.#sessionId;
  }

  /** @returns {import("./visavis.js").Session} */
  session() {
    const scene = this;
    return {
      get sessionId() {
        return scene.sessionId;
      },
      connect: (options) => scene.connect(options),
      disconnect: () => scene.disconnect(),
    };
  }

  /** @param {string} text */
  sendText(text) {
    this.#standing?.sendText(text);
    return this.#standing !== null;
  }

  interrupt() {
    this.#standing?.interrupt();
    return this.#standing !== null;
  }

  /** @param {Readonly<Record<string, Variable>>} values */
  setVariables(values) {
    Object.assign(this.#variables, values);
    this.#session?.say(wire.setVariables(values));
  }

  /** @param {string | Blob} background */
  setBackground(background) {
    // One after the other: the last one stays, also where an earlier one is a file that takes its time.
    const set = this.#painted.then(async () => {
      const given = await backdropOf(background);
      this.#settings.backdrop.background = given;
      this.#session?.say(wire.setBackground(given));
    });
    this.#painted = set.catch(() => undefined);
    return set;
  }

  /**
   * @param {import("./visavis.js").Emotion} emotion
   * @param {number} [intensity]
   */
  setEmotion(emotion, intensity = 1) {
    if (!EMOTIONS.includes(emotion)) {
      throw new TypeError(`an emotion is one of ${EMOTIONS.join(", ")}`);
    }
    if (!(intensity >= 0 && intensity <= 1)) {
      throw new TypeError("an intensity lies between 0 and 1");
    }
    this.#standing?.say(wire.setEmotion(emotion, intensity));
    return this.#standing !== null;
  }

  get picture() {
    return this.#session?.picture ?? null;
  }

  /** @param {import("./tools.js").Tool} tool */
  addTool(tool) {
    this.#tools.add(tool);
    this.#session?.say(wire.announceTools([tool]));
  }

  /** @param {string} name */
  removeTool(name) {
    this.#tools.remove(name);
  }

  get history() {
    return this.#transcript.items;
  }

  get activity() {
    return this.#session?.activity ?? "idle";
  }

  /** @param {boolean} on */
  async setMicrophone(on) {
    this.#requested = { ...this.#requested, microphone: on };
    await this.#devices?.setMicrophone(on);
  }

  /** @param {boolean} on */
  async setCamera(on) {
    this.#requested = { ...this.#requested, camera: on };
    await this.#devices?.setCamera(on);
    return on && this.cameraOn;
  }

  get microphoneOn() {
    return this.#devices?.microphoneOn ?? false;
  }

  get cameraOn() {
    return this.cameraStream !== null;
  }

  get cameraStream() {
    return this.#devices?.cameraStream ?? null;
  }

  /** @param {string} deviceId */
  async chooseMicrophone(deviceId) {
    this.#preferred.microphone = deviceId;
    await this.#devices?.chooseMicrophone(deviceId);
  }

  /** @param {string} deviceId */
  async chooseCamera(deviceId) {
    this.#preferred.camera = deviceId;
    await this.#devices?.chooseCamera(deviceId);
  }

  /** @param {string} deviceId */
  async chooseSpeaker(deviceId) {
    const { element } = this.#settings;
    if (!("setSinkId" in element)) {
      throw new VisavisError("not_supported", { text: "This browser leaves the choice of speakers to the system." });
    }
    try {
      await element.setSinkId(deviceId);
    } catch (cause) {
      throw new VisavisError("no_device", { text: "The speaker cannot be used.", cause });
    }
  }

  get microphoneId() {
    return this.#devices?.microphoneId || this.#preferred.microphone;
  }

  get cameraId() {
    return this.#devices?.cameraId || this.#preferred.camera;
  }

  get volume() {
    return this.#settings.element.volume;
  }

  set volume(volume) {
    this.#settings.element.volume = Math.min(1, Math.max(0, volume));
  }

  get muted() {
    return this.#muted;
  }

  set muted(muted) {
    this.#muted = muted;
    this.#session?.playback.mute(muted);
  }

  async unblockAudio() {
    await this.#session?.playback.unblock();
  }

  get droppedPieces() {
    return this.#session?.droppedPieces ?? 0;
  }

  /** The session, where there is one that stands. */
  get #standing() {
    return this.isConnected() ? this.#session : null;
  }

  /**
   * @param {{maxRetries: number, delayMs: number}} retries
   * @param {AbortController} abort
   * @returns {Promise<string>}
   */
  async #connect({ maxRetries, delayMs }, abort) {
    const { timeouts, required } = this.#settings;
    const timer = timeouts.connect
      ? setTimeout(() => abort.abort(new VisavisError("connect_timeout")), timeouts.connect)
      : undefined;
    this.connectionState.enter("SearchingForDigitalPerson");
    try {
      if (!globalThis.RTCPeerConnection) {
        throw new VisavisError("not_supported", { text: "This browser has no WebRTC." });
      }
      this.#devices = this.#openDevices();
      // Before dialling: nobody's place is taken by a visitor who still reads the browser's question.
      await this.#devices.request(this.#requested, required, { milliseconds: timeouts.devices, signal: abort.signal });
      for (let tries = 0; ; tries += 1) {
        try {
          return await this.#begin(this.#devices, abort.signal);
        } catch (error) {
          if (!(error instanceof VisavisError && WORTH_A_RETRY.has(error.code) && tries < maxRetries)) {
            throw error;
          }
        }
        this.connectionState.enter("SearchingForDigitalPerson");
        await pause(delayMs, abort.signal);
      }
    } catch (error) {
      this.#free();
      this.#connecting = null;
      this.connectionState.enter("Disconnected");
      throw asVisavisError(error);
    } finally {
      clearTimeout(timer);
      this.#connecting = null;
    }
  }

  /**
   * @param {Devices} devices
   * @param {AbortSignal} signal
   */
  async #begin(devices, signal) {
    signal.throwIfAborted();
    this.#transcript = new Transcript(this.#settings.history);
    const session = new Session(
      {
        settings: this.#settings,
        devices,
        tools: this.#tools,
        tokens: this.#tokens,
        variables: this.#variables,
        muted: this.#muted,
      },
      {
        onState: (name, queuePosition) => this.connectionState.enter(name, queuePosition),
        onCaption: (caption) => {
          this.#transcript.add(caption);
          this.onCaption.tell(caption);
        },
        onActivity: (activity) => this.onActivity.tell(activity),
        onExpiring: (expiring) => this.onExpiring.tell(expiring),
        onMedia: (flowing) => this.onMedia.tell({ flowing }),
        onBlocked: () => this.onAudioBlocked.tell(),
        onNotice: (text) => this.onNotice.tell(text),
        onTool: (name, args) => this.onTool.tell({ name, args }),
        onRestored: (items, variables) => {
          this.#transcript.restore(items);
          Object.assign(this.#variables, variables);
          this.onResumed.tell({ history: this.history, variables: { ...this.#variables } });
        },
        onEnded: (error) => this.#ended(error),
      },
    );
    this.#session = session;
    try {
      this.#sessionId = await session.begin(signal);
    } catch (error) {
      this.#session = null;
      throw error;
    }
    return this.#sessionId;
  }

  /** @returns {Devices} */
  #openDevices() {
    return new Devices(
      {
        onPiece: (pcm) => this.#session?.sendAudio(pcm),
        onLevel: (level) => this.onMicrophoneLevel.tell(level),
        onMicrophoneLost: (error) => this.onMicrophoneLost.tell(error),
        onCamera: async () => this.#session?.showCamera(),
      },
      this.#preferred,
    );
  }

  /** @param {VisavisError} error */
  #ended(error) {
    this.#free();
    this.connectionState.enter("Disconnected");
    const { code, name, message, reason } = error;
    this.onDisconnectedEvent.tell(this, this.#sessionId, reason, { code, name, message });
  }

  #free() {
    this.#session = null;
    this.#devices?.close();
    this.#devices = null;
  }
}
