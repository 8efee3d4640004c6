// @ts-check
/** durable dashboard: theme, times, copy, dialogs, rows, keys. Every page can be read without it. */
import { $, $$, base, local, open, page, say, tick, verbs } from "./dom.js";
import { follow, refresh, pause } from "./live.js";
import { search, sending } from "./act.js";

const root = document.documentElement;

// The server renders data-theme from the cookie; without it, the theme is the system's.
function theme() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme};path=${base || "/"};max-age=31536000;samesite=lax`;
}

// A hub with virtual time, or a clock that differs: leave what the server wrote.
const differs = Math.abs(Date.now() - Number(document.body.dataset.now ?? Date.now())) > 60000;
local();
if (!differs) setInterval(() => document.hidden || tick(), 1000);

for (const e of $$(".nav [aria-current],.tabs [aria-current]")) { // the bar alone scrolls, not the page
  const bar = e.parentElement, a = e.getBoundingClientRect(), b = bar.getBoundingClientRect();
  bar.scrollLeft += a.left - b.left - (b.width - a.width) / 2;
}
const asked = new URLSearchParams(location.search);
if (asked.has("cli") && $(".drawer")) $(".drawer").open = true;

// One click handler for the page; behavior hangs on data-* attributes.
Object.assign(verbs, {
  theme, refresh: () => location.reload(), help: () => open("help"), search: () => search(),
  close: (/** @type {HTMLElement} */ e) => e.closest("dialog")?.close(), pause: () => pause(),
});
document.addEventListener("click", (e) => {
  const t = e.target instanceof Element ? e.target.closest("[data-do],[data-copy],[data-open]") : null;
  if (!(t instanceof HTMLElement)) return;
  if (t.dataset.copy !== undefined) copy(t.dataset.copy);
  else if (t.dataset.open) open(t.dataset.open);
  else if (t.dataset.do) verbs[t.dataset.do]?.(t);
});
function copy(/** @type {string} */ text) {
  if (navigator.clipboard) { navigator.clipboard.writeText(text).then(() => say("Copied"), () => say("Could not copy")); return; }
  const box = document.createElement("textarea"); // the page came over plain HTTP
  box.value = text; document.body.append(box); box.select();
  say(document.execCommand("copy") ? "Copied" : "Could not copy"); box.remove();
}
document.addEventListener("submit", (e) => { if (e.target instanceof HTMLFormElement && e.target.dataset.send) sending(e, e.target); });
document.addEventListener("toggle", (e) => { // one menu at a time
  const m = e.target; if (m instanceof HTMLDetailsElement && m.open && m.matches(".menu")) for (const o of $$(".menu[open]")) if (o !== m) o.open = false;
}, true);

// Rows: j k move, Enter opens, x selects.
const rows = () => $$("[data-rows] > tbody > tr:not(.more):not([hidden])");
/** @param {number} by */
function move(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((r) => r.classList.contains("cur"));
  all[at]?.classList.remove("cur");
  const to = all[Math.max(0, Math.min(all.length - 1, at + by))];
  to.classList.add("cur");
  $("a", to)?.focus({ preventScroll: true });
  to.scrollIntoView({ block: "nearest" });
}

// Filter box: hides rows of the table named by data-filters, and counts what is left.
document.addEventListener("input", (e) => {
  const box = e.target;
  if (!(box instanceof HTMLInputElement) || !box.dataset.filters) return;
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0, hit = true; // a row's detail (.more) goes with its row
  for (const r of $$(`#${CSS.escape(box.dataset.filters)} > tbody > tr`)) {
    if (!r.classList.contains("more")) {
      const next = r.nextElementSibling, text = (r.textContent + (next?.matches(".more") ? next.textContent : "")).toLowerCase();
      hit = words.every((w) => text.includes(w));
      if (hit) shown++;
    }
    r.hidden = !hit;
  }
  say(`${shown} rows`);
});

// Keys. Never while typing, never with a modifier except Ctrl+K.
const places = { o: "", i: "instances", a: "activities", e: "entities", l: "locks", s: "schedules", b: "batches", h: "hub", v: "live" };
let g = 0;
document.addEventListener("keydown", (e) => {
  const el = e.target, k = e.key;
  if ((e.ctrlKey || e.metaKey) && k === "k") { e.preventDefault(); search(); return; }
  if (k === "Escape") {
    root.classList.add("hush");
    setTimeout(() => addEventListener("pointermove", () => root.classList.remove("hush"), { once: true }), 0);
    for (const m of $$(".menu[open]")) m.open = false;
    if (el instanceof HTMLInputElement && !el.closest("dialog")) el.blur();
    return;
  }
  root.classList.remove("hush");
  if (e.ctrlKey || e.metaKey || e.altKey || (el instanceof HTMLElement && el.matches("input:not([type=checkbox]),select,textarea")) || $("dialog[open]")) return;
  if (g && Date.now() - g < 1000 && k in places) { location.href = page(places[/** @type {keyof typeof places} */ (k)]); return; }
  g = 0;
  const link = (/** @type {string} */ s) => $(s)?.click();
  switch (k) {
    case "/": { const f = $("[data-find]"); if (f) { e.preventDefault(); f.focus(); f.select(); } break; }
    case "j": move(1); break;
    case "k": move(-1); break;
    case "Enter": if (el === document.body) $("tr.cur a")?.click(); break;
    case "x": $("tr.cur input[name=pick]")?.click(); break;
    case "[": link("a[rel=prev]"); break;
    case "]": link("a[rel=next]"); break;
    case "t": case "h": case "n": link(`.tabs a[data-key=${k}]`); break;
    case "r": refresh(); break;
    case "p": pause(); break;
    case "d": theme(); break;
    case "c": { const d = $(".drawer"); if (d) d.open = !d.open; break; }
    case "g": g = Date.now(); break;
    case "?": open("help"); break;
  }
});
follow();
// Screens with a script of their own name it.
for (const e of $$("[data-script]")) import(`./${e.dataset.script}.js`);
