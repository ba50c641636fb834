/** Style of the page: system fonts, light and dark, and colours that people with any colour vision can tell apart. */
export const PAGE_STYLE = `
:root { --paper: #fbfbfa; --card: #ffffff; --ink: #1b1f24; --faint: #5c6670; --line: #d9dee3; --accent: #0b62a8; --good: #006d55; --bad: #b3440a; --wash: 11 98 168; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --card: #1c2024; --ink: #e8eaed; --faint: #a3adb8; --line: #363d44; --accent: #6cb6ff; --good: #4cc9a4; --bad: #f0935a; --wash: 108 182 255; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, main { max-width: 1160px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 32px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 0 0 14px; }
h3 { font-size: 15px; margin: 18px 0 8px; }
.lead { color: var(--faint); margin: 0 0 20px; max-width: 70ch; }
.warning { border-left: 4px solid var(--bad); padding: 6px 12px; background: var(--card); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px; margin: 0 0 20px; }
.note { color: var(--faint); font-size: 13px; margin: 12px 0 0; max-width: 90ch; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: left; padding: 7px 12px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { font-size: 13px; color: var(--faint); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 600; }
tbody tr:last-child > * { border-bottom: 0; }
.best .mean { font-weight: 700; color: var(--good); }
.mean, .interval { display: block; }
.interval { font-size: 12px; color: var(--faint); white-space: nowrap; }
.choices .interval { white-space: normal; max-width: 11ch; }
.undefined { color: var(--faint); font-style: italic; }
.dot { width: 92px; height: 10px; display: block; margin-top: 2px; }
.dot .axis { stroke: var(--line); stroke-width: 1.5; }
.dot .band { stroke: var(--accent); stroke-width: 2.5; opacity: 0.6; }
.dot circle { fill: var(--accent); }
.controls { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin-bottom: 12px; }
button, select { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: 6px; padding: 5px 11px; cursor: pointer; }
button[aria-pressed="true"] { background: var(--accent); border-color: var(--accent); color: var(--card); }
button:focus-visible, select:focus-visible, input:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)); gap: 8px 32px; }
.columns > div { min-width: 0; }
.plot { min-height: 280px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 8px; font-size: 13px; }
.legend span { display: inline-flex; align-items: center; gap: 7px; }
.legend svg { width: 26px; height: 10px; }
.u-legend { display: none; }
.slider { display: block; }
.slider output { font-weight: 700; font-variant-numeric: tabular-nums; }
.slider input { display: block; width: 100%; margin: 8px 0 14px; accent-color: var(--accent); }
.confusion { width: auto; margin-bottom: 6px; }
.confusion td, .confusion th { padding: 8px 20px 8px 0; }
.confusion tbody td { font-size: 22px; font-weight: 650; padding: 8px 20px; border-radius: 6px; border: 3px solid var(--card); min-width: 120px; }
.scores { display: grid; grid-template-columns: repeat(auto-fill, minmax(118px, 1fr)); gap: 6px 14px; margin: 8px 0 0; }
.scores dt { font-size: 12px; color: var(--faint); }
.scores dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(112px, 1fr)); gap: 14px; }
.gallery figure { margin: 0; }
.gallery img { width: 100%; aspect-ratio: 1; object-fit: contain; background: #000; border-radius: 6px; image-rendering: pixelated; display: block; }
.gallery figcaption { font-size: 12px; color: var(--faint); margin-top: 5px; overflow-wrap: anywhere; }
.gallery strong { color: var(--ink); display: block; font-variant-numeric: tabular-nums; }
details { margin-top: 18px; }
summary { cursor: pointer; color: var(--accent); }
.settings th { width: 220px; font-weight: 500; color: var(--faint); }
.settings td { overflow-wrap: anywhere; }
@media print { section { break-inside: avoid; } }
`;
