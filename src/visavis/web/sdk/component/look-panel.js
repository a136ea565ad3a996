/** What stands beside (in narrow places: below) the face. */
export const PANEL = `
.panel {
  display: flex;
  flex-direction: column;
  gap: 20px;
  min-width: 0;
  min-height: 0;
  padding: 20px;
  overflow: hidden auto;
  scrollbar-width: thin;
}

.card {
  display: flex;
  flex-direction: column;
  gap: 14px;
  animation: settle 0.45s var(--ease);
}

.card > [role="alert"] {
  display: grid;
  gap: 10px;
}

.heading {
  display: flex;
  align-items: baseline;
  justify-content: space-between;
  gap: 16px;
}

.percent {
  color: var(--soft);
  font-variant-numeric: tabular-nums;
  white-space: nowrap;
}

.actions {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 10px 12px;
  margin-top: 4px;
}

.actions .primary {
  min-width: 140px;
}

.chooser {
  border: 0;
  min-width: 0;
}

.chooser legend {
  padding: 0;
  margin-bottom: 10px;
  font-size: 0.92em;
  font-weight: 600;
}

.faces {
  display: flex;
  gap: 14px;
  overflow-x: auto;
  padding: 5px;
  margin: -5px;
  scrollbar-width: thin;
}

.face {
  position: relative;
  flex: none;
  width: 72px;
  text-align: center;
  font-weight: 500;
  cursor: pointer;
}

.face input {
  position: absolute;
  inset: 0;
  margin: 0;
  width: 100%;
  height: 100%;
  opacity: 0;
  cursor: pointer;
}

.face img {
  display: block;
  width: 72px;
  height: 72px;
  margin-bottom: 6px;
  border-radius: 20px;
  object-fit: cover;
  background: var(--line);
  transition: box-shadow 0.2s;
}

.face span {
  display: block;
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
  font-size: 0.92em;
}

.face:hover img {
  box-shadow: 0 0 0 2px var(--field-line);
}

.face input:checked ~ img {
  box-shadow: 0 0 0 3px var(--accent);
}

.face input:focus-visible ~ img {
  outline: 3px solid var(--accent);
  outline-offset: 4px;
}

.backdrops {
  display: flex;
  flex-wrap: wrap;
  gap: 7px;
  min-width: 0;
  margin: 6px 0 4px;
  border: 0;
}

.backdrops legend {
  padding: 0;
  margin-bottom: 8px;
  font-size: 0.92em;
  font-weight: 600;
}

.backdrop {
  position: relative;
  cursor: pointer;
}

.backdrop input {
  position: absolute;
  inset: 0;
  width: 100%;
  height: 100%;
  margin: 0;
  opacity: 0;
  cursor: pointer;
}

.swatch {
  display: grid;
  place-items: center;
  min-width: 34px;
  height: 34px;
  padding: 0 12px;
  border-radius: 17px;
  box-shadow: inset 0 0 0 1.5px var(--field-line);
  font-size: 0.92em;
  font-weight: 500;
  transition: box-shadow 0.2s;
}

.colour .swatch {
  width: 34px;
  padding: 0;
  box-shadow: inset 0 0 0 1px rgb(128 128 128 / 45%);
}

.backdrop input:checked ~ .swatch {
  box-shadow:
    0 0 0 2px var(--paper),
    0 0 0 4.5px var(--accent);
}

.backdrop input:focus-visible ~ .swatch {
  outline: 3px solid var(--accent);
  outline-offset: 6px;
}

.bar {
  height: 6px;
  flex: none;
  overflow: hidden;
  border-radius: 3px;
  background: var(--line);
}

.bar span {
  display: block;
  height: 100%;
  border-radius: inherit;
  background: var(--accent);
  transform: scaleX(max(0.04, var(--part, 0)));
  transform-origin: left;
  transition: transform 0.6s var(--ease);
}

[data-queued] .bar span {
  animation: throb 1.8s ease-in-out infinite;
}

.steps {
  display: grid;
  gap: 10px;
  list-style: none;
}

.steps li {
  display: flex;
  align-items: center;
  gap: 12px;
  color: var(--soft);
  transition: color 0.3s;
}

.steps svg {
  width: 24px;
  height: 24px;
  padding: 4px;
  border: 1.5px solid var(--field-line);
  border-radius: 50%;
  stroke-width: 2.6;
  color: transparent;
}

.steps [data-state="now"] {
  color: var(--ink);
  font-weight: 600;
}

.steps [data-state="now"] svg {
  border-color: var(--accent);
  background: radial-gradient(circle, var(--accent) 0 5px, transparent 5.6px);
  animation: throb 1.4s ease-in-out infinite;
}

.steps [data-state="done"] {
  color: var(--ink);
}

.steps [data-state="done"] svg {
  border-color: var(--accent);
  background: var(--accent);
  color: var(--on-accent);
}

.hint {
  font-size: 0.92em;
}

.hint:empty {
  display: none;
}

.conversation {
  display: flex;
  flex: 1 0 96px;
  flex-direction: column;
  gap: 12px;
  min-height: 0;
}

.lines {
  flex: 1;
  min-height: 0;
  display: flex;
  flex-direction: column;
  gap: 14px;
  overflow-y: auto;
  overscroll-behavior: contain;
  padding: 24px 6px 8px;
  list-style: none;
  border-radius: 16px;
  mask-image: linear-gradient(transparent, #000 24px);
  scrollbar-width: thin;
  scrollbar-color: var(--field-line) transparent;
}

.lines:empty::before {
  content: attr(data-empty);
  margin: auto 0 8px;
  color: var(--soft);
}

/* Few lines stand at the bottom, near the field; many can still be scrolled to the top. */
.lines > :first-child {
  margin-top: auto;
}

.line {
  max-width: 100%;
  animation: settle 0.35s var(--ease);
}

.who {
  display: block;
  margin-bottom: 2px;
  color: var(--soft);
  font-size: 0.8em;
  font-weight: 600;
}

.words {
  overflow-wrap: anywhere;
  white-space: pre-wrap;
}

.line.user {
  align-self: flex-end;
  max-width: 88%;
}

.line.user .who {
  text-align: end;
}

.line.user .words {
  padding: 9px 15px;
  border-radius: 20px 20px 6px 20px;
  background: var(--tint);
}

.words i {
  display: inline-block;
  width: 7px;
  height: 7px;
  margin: 0 2px;
  border-radius: 50%;
  background: var(--soft);
  animation: blink 1.2s ease-in-out infinite;
}

.words i:nth-child(2) {
  animation-delay: 0.2s;
}

.words i:nth-child(3) {
  animation-delay: 0.4s;
}

.divider,
.note {
  color: var(--soft);
  font-size: 0.85em;
  text-align: center;
}

.divider {
  display: flex;
  align-items: center;
  gap: 12px;
}

.divider::before,
.divider::after {
  content: "";
  flex: 1;
  border-top: 1px solid var(--line);
}

[data-captions="off"] .lines {
  display: none;
}

.composer {
  position: relative;
}

.composer input[type="text"] {
  padding-right: 56px;
  border-radius: 24px;
}

.send {
  position: absolute;
  top: 5px;
  right: 5px;
  display: grid;
  place-items: center;
  width: 38px;
  height: 38px;
  padding: 0;
  border-radius: 50%;
  background: var(--accent);
  color: var(--on-accent);
}

.send:hover {
  background: color-mix(in srgb, var(--accent) 86%, var(--ink));
}

[data-view="call"] .panel {
  overflow: hidden;
  padding-top: 6px;
}

[data-view="call"][data-captions="off"] .panel {
  justify-content: flex-end;
}

/* What was said stays readable after the call. */
.room:not([data-view="call"]) .conversation {
  flex: 0 1 auto;
  min-height: 96px;
  max-height: 40dvh;
  border-top: 1px solid var(--line);
}

.settings {
  width: min(420px, calc(100vw - 32px));
  padding: 26px;
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--paper);
  color: var(--ink);
  box-shadow: var(--shadow);
}

.settings::backdrop {
  background: rgb(14 17 21 / 50%);
}

.settings form {
  display: grid;
  gap: 8px;
}

.settings h2 {
  margin-bottom: 8px;
  font-size: 1.3em;
}

.settings select {
  margin: 6px 0 8px;
}

.settings .primary {
  margin-top: 12px;
}

@keyframes settle {
  from {
    opacity: 0;
    transform: translateY(8px);
  }
}

@keyframes throb {
  50% {
    opacity: 0.45;
  }
}

@container visavis (width < 720px) {
  /* In a narrow card there is no room for it beside the way on. */
  :host(:not([layout="fill"])) .room:not([data-view="call"]) .conversation {
    display: none;
  }

  /* Nor for steps that are not the present one: the bar shows the whole way. */
  :host(:not([layout="fill"])) .steps li:not([data-state="now"]) {
    display: none;
  }

  .actions > * {
    flex: 1 1 auto;
  }

  /* The button to call stays in reach of the thumb, however much stands above it. */
  #welcome .actions {
    position: sticky;
    bottom: 0;
    z-index: 1;
    padding: 8px 0;
    margin: 0;
    background: linear-gradient(transparent, var(--paper) 10px);
  }
}

@container visavis (width < 380px) {
  .panel {
    padding: 18px 16px;
  }

  .actions .primary {
    min-width: 0;
    padding: 0 18px;
  }

  .actions .quiet {
    padding: 0 8px;
  }
}

@container visavis (width >= 720px) {
  .panel {
    padding: 28px;
  }

  .faces {
    flex-wrap: wrap;
    max-height: 228px;
    overflow: hidden auto;
  }

  /* Centred, and yet all within reach of the scroll bar where it is too high. */
  .panel {
    justify-content: safe center;
  }

  .card {
    gap: 18px;
  }
}

:host([layout="fill"]) .panel {
  padding: 0 0 4px;
}

:host([layout="fill"]) .card {
  padding: 4px 6px;
}

@media (height <= 560px) {
  :host([layout="fill"]) .card {
    gap: 12px;
  }

  :host([layout="fill"]) .steps {
    gap: 6px;
  }
}
`;
