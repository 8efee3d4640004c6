// @ts-check
/** Live changes: one EventSource per tab. Each event asks for the parts of the page anew, at most 4 times a second. */
import { $, $$, local, say } from "./dom.js";

/** @type {EventSource | null} */ let source = null;
const main = $("main"), partial = main?.dataset.partial !== undefined; // a fragment shows more than the page
let every = Number(main?.dataset.every ?? 250);
let paused = false, missed = 0, asked = 0, busy = false;
/** @type {number | undefined} */ let timer;
/** Functions that see every event. @type {((kind: string, data: any) => void)[]} */
export const listeners = [];

/** @param {"on" | "off" | "paused"} state @param {string} word */
function show(state, word) { const l = $("#live"); if (l) { l.dataset.s = state; l.textContent = word; } }

export function follow() {
  const url = main?.dataset.events;
  if (!url) return;
  const connect = () => {
    if (source || document.hidden) return;
    source = new EventSource(url);
    source.onopen = () => { show(paused ? "paused" : "on", paused ? "Paused" : "Live"); if (asked || partial) changed(); };
    source.onerror = () => { show("off", "Unreachable"); if (source?.readyState === 2) { source = null; setTimeout(connect, 4000); } };
    for (const kind of ["lifecycle", "history", "end", "missed"]) source.addEventListener(kind, (e) => {
      for (const l of listeners) l(kind, JSON.parse(e.data));
      if (kind === "end") { source?.close(); source = null; }
      changed();
    });
  };
  connect();
  addEventListener("visibilitychange", () => {
    if (document.hidden) { source?.close(); source = null; asked ||= 1; } else connect();
  });
  addEventListener("pagehide", () => { source?.close(); source = null; });
}

function changed() {
  if (paused) { missed++; show("paused", `Paused, ${missed}`); return; }
  timer ??= setTimeout(() => { timer = undefined; refresh(); }, Math.max(0, asked + every - Date.now()));
}

export function pause() {
  if (!$("#live")) return;
  paused = !paused;
  show(paused ? "paused" : "on", paused ? "Paused" : "Live");
  say(paused ? "Live changes are paused" : "Live changes go on");
  if (!paused && missed) { missed = 0; refresh(); }
}

/** Replaces the parts (`[data-part]`) of the page that have changed. */
export async function refresh() {
  if (busy) { changed(); return; }
  if (!$("[data-part]")) { if (!source) location.reload(); return; }
  busy = true; asked = Date.now();
  try {
    const url = new URL(location.href);
    url.searchParams.set("fragment", "live");
    const answer = await fetch(url, { headers: { accept: "text/html" } });
    if (answer.ok) swap(await answer.text());
    else if (answer.status === 404) location.reload();
    else if (answer.status === 429) setTimeout(changed, 1000); // several tabs at once
  } catch { show("off", "Unreachable"); } finally {
    busy = false;
    if (partial) every = Math.min(60000, Math.max(every, 10 * (Date.now() - asked)));
  }
}

/** @param {string} text */
function swap(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  local(page);
  for (const part of $$("[data-part]", page)) {
    const old = document.getElementById(part.id);
    if (!old || old.dataset.was === part.outerHTML) continue;
    const was = part.outerHTML;
    const active = document.activeElement;
    if (active && old.contains(active) && active.matches("input:not([type=checkbox]),select,textarea")) continue;
    keep(old, part);
    const focus = active && old.contains(active) ? path(active, old) : null;
    const scroll = $$(".sc,.js,.tabs", old).map((e) => [e.scrollLeft, e.scrollTop]);
    part.dataset.was = was;
    old.replaceWith(part);
    $$(".sc,.js,.tabs", part).forEach((e, i) => { if (scroll[i]) [e.scrollLeft, e.scrollTop] = scroll[i]; });
    if (focus) find(focus, part)?.focus({ preventScroll: true });
  }
  document.dispatchEvent(new CustomEvent("swapped"));
}

/** Open details, checked boxes and the current row stay. @param {Element} old @param {Element} part */
function keep(old, part) {
  for (const d of $$("details[id]", old)) { const n = $("#" + CSS.escape(d.id), part); if (n) n.open = d.open; }
  for (const c of $$("input[type=checkbox][value]:checked", old)) { const n = $(`input[name="${c.name}"][value="${CSS.escape(c.value)}"]`, part); if (n) n.checked = true; }
  const cur = $("tr.cur[id]", old);
  if (cur) $("#" + CSS.escape(cur.id), part)?.classList.add("cur");
}

/** How to find the element again. @param {Element} e @param {Element} top */
function path(e, top) {
  const row = e.closest("[id]");
  const within = row && row !== top ? row : top;
  return { id: within === top ? null : within.id, href: e.getAttribute("href"), index: $$("a,button,input,summary,[tabindex]", within).indexOf(e) };
}
/** @param {{id: string | null, href: string | null, index: number}} at @param {Element} part */
function find(at, part) {
  const within = at.id ? $("#" + CSS.escape(at.id), part) : part;
  if (!within) return null;
  if (within.matches("a,button,summary") && at.index < 0) return within;
  return $$("a,button,input,summary,[tabindex]", within)[at.index] ?? (at.href && $(`a[href="${CSS.escape(at.href)}"]`, part));
}
