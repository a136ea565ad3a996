import { PANEL } from "./look-panel.js";
import { STAGE } from "./look-stage.js";

/** Colours, type and the parts that every view uses. */
const BASE = `
:host {
  --radius: var(--visavis-radius, 24px);
  --ease: cubic-bezier(0.2, 0.7, 0.2, 1);
  --accent: var(--visavis-accent, #0f6868);
  --on-accent: var(--visavis-on-accent, #fff);
  --paper: var(--visavis-background, #fff);
  --ink: var(--visavis-text, #1b1e23);
  --soft: var(--visavis-soft-text, #575e6a);
  --line: var(--visavis-line, #dcd7ce);
  --field-line: var(--visavis-field-line, #8a867f);
  --tint: var(--visavis-tint, #dfecea);
  --danger: var(--visavis-danger, #c2372c);
  --edge: rgb(27 30 35 / 10%);
  --shadow: 0 1px 2px rgb(27 30 35 / 6%), 0 24px 60px -18px rgb(27 30 35 / 28%);
  --ambient: 0.2;
  display: block;
  box-sizing: border-box;
  max-width: var(--visavis-max-width, 1080px);
}

/* Not on the host: what a page says of all its elements would go before it there. */
.frame {
  color: var(--ink);
  font: 400 16px/1.5 var(--visavis-font, Inter, "Segoe UI", Roboto, "Helvetica Neue", Arial, system-ui, sans-serif);
  letter-spacing: normal;
  word-spacing: normal;
  text-align: start;
  text-indent: 0;
  text-transform: none;
  text-shadow: none;
  white-space: normal;
  -webkit-font-smoothing: antialiased;
}

:host([hidden]) {
  display: none;
}

:host([theme="light"]) {
  color-scheme: light;
}

:host([theme="dark"]) {
  color-scheme: dark;
}

/* The page's own colour scheme decides, not the system's: a dark part on a light page would look broken. */
@supports (color: light-dark(#fff, #000)) {
  :host {
    --accent: var(--visavis-accent, light-dark(#0f6868, #7ad3cb));
    --on-accent: var(--visavis-on-accent, light-dark(#fff, #05211f));
    --paper: var(--visavis-background, light-dark(#fff, #181c22));
    --ink: var(--visavis-text, light-dark(#1b1e23, #eceef1));
    --soft: var(--visavis-soft-text, light-dark(#575e6a, #a5adb9));
    --line: var(--visavis-line, light-dark(#dcd7ce, #2f3640));
    --field-line: var(--visavis-field-line, light-dark(#8a867f, #6d7683));
    --tint: var(--visavis-tint, light-dark(#dfecea, #1f3a3c));
    --danger: var(--visavis-danger, light-dark(#c2372c, #d6453a));
    --edge: light-dark(rgb(27 30 35 / 10%), rgb(255 255 255 / 9%));
  }
}

*,
*::before,
*::after {
  box-sizing: border-box;
}

[hidden] {
  display: none !important;
}

h2,
p,
ol,
fieldset {
  margin: 0;
  padding: 0;
}

h2 {
  font-size: clamp(1.5em, 1.2em + 1.4cqi, 2.1em);
  font-weight: 600;
  letter-spacing: -0.02em;
  line-height: 1.15;
  overflow-wrap: anywhere;
  text-wrap: balance;
}

h2:focus {
  outline: none;
}

.unseen {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}

svg {
  width: 1.4em;
  height: 1.4em;
  fill: none;
  stroke: currentcolor;
  stroke-width: 1.8;
  stroke-linecap: round;
  stroke-linejoin: round;
  flex: none;
}

svg.solid {
  fill: currentcolor;
  stroke: none;
}

.lead {
  color: var(--soft);
  text-wrap: pretty;
}

.small {
  color: var(--soft);
  font-size: 0.82em;
  line-height: 1.5;
}

.small:empty {
  display: none;
}

button {
  font: inherit;
  color: inherit;
  cursor: pointer;
  border: 0;
  background: none;
  -webkit-tap-highlight-color: transparent;
}

.primary,
.secondary,
.quiet {
  display: inline-flex;
  align-items: center;
  justify-content: center;
  gap: 0.55em;
  min-height: 48px;
  padding: 0 24px;
  border-radius: 24px;
  font-weight: 600;
  transition:
    background-color 0.2s,
    border-color 0.2s,
    transform 0.2s var(--ease);
}

.primary {
  background: var(--accent);
  color: var(--on-accent);
}

.primary:hover {
  background: color-mix(in srgb, var(--accent) 86%, var(--ink));
}

.secondary {
  border: 1.5px solid var(--field-line);
}

.secondary:hover {
  border-color: var(--ink);
}

.quiet {
  padding: 0 16px;
  min-height: 44px;
  border-radius: 22px;
  color: var(--soft);
  font-weight: 500;
}

.quiet:hover {
  color: var(--ink);
  background: color-mix(in srgb, var(--ink) 7%, transparent);
}

.primary:active,
.secondary:active {
  transform: scale(0.98);
}

:focus-visible {
  outline: 3px solid var(--accent);
  outline-offset: 3px;
}

/* Inside the field: what scrolls round it would cut it off. */
input[type="text"]:focus-visible {
  outline-offset: -3px;
}

input[type="text"],
select {
  width: 100%;
  min-height: 48px;
  padding: 0 18px;
  border: 1.5px solid var(--field-line);
  border-radius: 16px;
  background: var(--paper);
  color: var(--ink);
  font: inherit;
}

input::placeholder {
  color: var(--soft);
  opacity: 1;
}

select {
  appearance: none;
  padding-right: 48px;
  background-image: url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%23808894' stroke-width='2' stroke-linecap='round' stroke-linejoin='round'%3E%3Cpath d='m6 9 6 6 6-6'/%3E%3C/svg%3E");
  background-position: right 14px center;
  background-repeat: no-repeat;
  background-size: 20px;
  text-overflow: ellipsis;
}

select:disabled {
  color: var(--soft);
  opacity: 1;
}

input[type="range"] {
  width: 100%;
  min-height: 32px;
  margin: 0;
  accent-color: var(--accent);
}

label {
  font-size: 0.92em;
  font-weight: 600;
}

@media (prefers-reduced-motion: reduce) {
  *,
  *::before,
  *::after {
    animation: none !important;
    transition: none !important;
    scroll-behavior: auto !important;
  }
}
`;

/** @type {CSSStyleSheet | null} */
let sheet = null;

/** One sheet for all elements of a page. A constructed one, which no Content-Security-Policy of a page stands against. */
export function styleSheet() {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(BASE + STAGE + PANEL);
  }
  return sheet;
}
