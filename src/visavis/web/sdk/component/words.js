/**
 * Everything the component says by itself. `{name}` is the avatar's name, `{position}` a place in the queue, `{seconds}`
 * a number of seconds. An app may replace any of them: `element.words = { call: "Start" }`.
 */
export const WORDS = Object.freeze({
  badge: "AI avatar",
  stage: "The avatar",

  welcome: "Talk with {name}",
  welcomeUnnamed: "Talk face to face",
  invitation: "Press Call, allow the microphone, and speak as you would to a person. You can type, too.",
  invitationByText: "Press Call and write. You are answered face to face.",
  chooser: "Who would you like to talk to?",
  call: "Call",
  callAgain: "Call again",
  byText: "Type instead",
  madeByComputer: "The face and the voice are made by a computer. Your voice goes to the server while the call lasts.",

  calling: "Calling {name}…",
  callingUnnamed: "Calling…",
  progress: "Connection progress",
  step1: "Searching for a digital person",
  step2: "Downloading assets",
  step3: "Connecting to the digital person",
  step4: "Connected",
  position: "You are number {position} in line",
  next: "You are next in line",
  queueHint: "Everyone is in a call now. You keep your place while this page stays open.",
  microphoneHint: "Your browser asks whether this page may use the microphone.",
  hint1: "The server takes its time. It may be busy.",
  hint2: "The face is being made ready. This takes longer on the first call.",
  hint3: "Still looking for a way through the network.",
  cancel: "Cancel",

  inCall: "In a call with {name}",
  inCallUnnamed: "In a call",
  controls: "Call",
  mute: "Mute",
  unmute: "Unmute",
  microphoneOn: "Turn the microphone on",
  cameraOn: "Turn the camera on",
  cameraOff: "Turn the camera off",
  selfView: "Your camera",
  hangUp: "Hang up",
  settingsButton: "Settings",
  tapToHear: "Tap to hear",
  interrupted: "The connection is weak. Waiting for it to come back…",

  idle: "Listening",
  listening: "Hearing you",
  thinking: "Thinking",
  speaking: "Speaking",

  expiringTitle: "Are you still there?",
  expiring: "The call ends in {seconds} seconds.",
  stillHere: "I am still here",
  endingTitle: "The time is nearly up",

  conversation: "Conversation",
  transcript: "What was said",
  you: "You",
  nothingSaid: "Say hello, or write below.",
  newCall: "New call with {name}",
  newCallUnnamed: "New call",
  resumed: "The conversation goes on",
  write: "Write to the avatar",
  placeholder: "Write a message",
  send: "Send",
  microphoneLost: "The microphone went away. You can go on by typing.",
  cameraFails: "The camera does not start. Allow it for this page, and look whether another program uses it.",

  ended: "The call has ended",
  retry: "Try again",
  goByText: "Continue by text",
  back: "Back",

  settings: "Sound",
  settingsWithCamera: "Sound and camera",
  settingsWithBackground: "Sound and picture",
  microphone: "Microphone",
  loudspeaker: "Loudspeaker",
  camera: "Camera",
  volume: "Volume of the avatar",
  background: "Background",
  backgroundOwn: "Own",
  backgroundBlur: "Blurred",
  backgroundMist: "Mist",
  backgroundSand: "Sand",
  backgroundTeal: "Teal",
  backgroundNight: "Night blue",
  done: "Done",
  byBrowser: "Chosen by the browser",
  unnamedDevice: "Device {position}",
  namesLater: "The devices have names here once a call was allowed to use the microphone.",
  deviceFails: "This device does not start. The one before is still in use.",
  loudspeakerFails: "This loudspeaker can’t be used.",
});

/** @typedef {keyof typeof WORDS} Word */

/**
 * @param {string} text
 * @param {Readonly<Record<string, string | number>>} values
 */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/gu, (whole, key) => String(values[key] ?? whole));
}

/** @typedef {Readonly<Record<Word, string>>} Words */
