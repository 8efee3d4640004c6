// @ts-check
/** The page of live events: a row for each, the newest first. */
import { $, base, clock } from "./dom.js";
import { listeners } from "./live.js";

const MOST = 500;
const statuses = { Started: "running", Completed: "completed", Failed: "failed", Terminated: "terminated", Suspended: "suspended", Resumed: "running", ContinuedAsNew: "running", Rewound: "running", Purged: "terminated" };

/** @param {string} kind */
function glyph(kind) {
  const word = statuses[/** @type {keyof typeof statuses} */ (kind)] ?? "pending";
  const span = document.createElement("span");
  span.className = `st st-${word}`;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "i");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${word}`);
  svg.append(use);
  span.append(svg, kind);
  return span;
}

/** @param {string} cls @param {...(Node | string)} content */
function cell(cls, ...content) {
  const td = document.createElement("td");
  td.className = cls;
  td.append(...content);
  return td;
}
/** @param {string} text @param {string} [cls] */
function bdi(text, cls) {
  const b = document.createElement("bdi");
  b.textContent = text;
  if (cls) b.className = cls;
  return b;
}

listeners.push((kind, e) => {
  const body = $("#stream"), row = document.createElement("tr");
  if (!body) return;
  if (kind === "missed") row.append(cell("", ""), cell("a", `${e.count} events were missed`));
  else {
    const a = document.createElement("a"), at = new Date(e.at), time = document.createElement("time");
    a.href = `${base}/instances/${encodeURIComponent(e.instanceId)}`;
    a.append(bdi(e.instanceId, "id"));
    time.dateTime = at.toISOString();
    time.title = at.toISOString();
    time.textContent = clock(at);
    row.append(cell("q h", time), cell("a", glyph(e.kind)), cell("idc z", a), cell("q2 h", bdi(e.version ? `${e.name}@${e.version}` : e.name)), cell("x q2", bdi((e.reason ?? "").slice(0, 300))));
  }
  body.prepend(row);
  while (body.rows.length > MOST) body.lastElementChild?.remove();
  $("#stream-none").hidden = true;
});
