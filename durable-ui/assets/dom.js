// @ts-check
/** What every script of the dashboard uses: elements, addresses, times. */

export const $ = (/** @type {string} */ s, /** @type {ParentNode} */ r = document) => /** @type {any} */ (r.querySelector(s));
export const $$ = (/** @type {string} */ s, /** @type {ParentNode} */ r = document) => /** @type {any[]} */ ([...r.querySelectorAll(s)]);
export const base = document.body.dataset.base ?? "";
/** @param {string} path */
export const page = (path) => path ? `${base}/${path}` : base || "/";

/** What a click on `data-do` does. @type {Record<string, (e: HTMLElement) => void>} */
export const verbs = {};

/** Tells screen readers, and whoever looks. @param {string} text */
export const say = (text) => { const l = $("#say"); if (l) l.textContent = text; };

/** @param {string} id */
export function open(id) { const d = $("#" + CSS.escape(id)); if (d && !d.open) d.showModal(); }

// Times: the server writes UTC, the reader sees local time.
const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
/** @param {Date} t */
export function clock(t, seconds = true) {
  const now = new Date(), hm = `${two(t.getHours())}:${two(t.getMinutes())}`;
  if (t.toDateString() === now.toDateString()) return seconds ? `${hm}:${two(t.getSeconds())}` : hm;
  if (t.getFullYear() === now.getFullYear()) return `${months[t.getMonth()]} ${t.getDate()} ${hm}`;
  return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${hm}`;
}
/** At most two units. @param {number} ms */
export function duration(ms) {
  ms = Math.max(0, ms);
  const s = Math.floor(ms / 1000), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
  if (ms < 1000) return `${Math.floor(ms)} ms`;
  if (s < 10) return `${s}.${Math.floor(ms % 1000 / 100)} s`;
  if (m < 1) return `${s} s`;
  if (h < 1) return `${m} m ${two(s % 60)} s`;
  return d < 1 ? `${h} h ${two(m % 60)} m` : `${d} d ${h % 24} h`;
}
/** @param {ParentNode} r */
export function local(r = document) {
  for (const e of $$("time[datetime]", r)) e.textContent = clock(new Date(e.dateTime));
  for (const e of $$("[data-t]", r)) e.textContent = clock(new Date(+e.dataset.t), "s" in e.dataset);
  tick(r);
}
export function tick(/** @type {ParentNode} */ r = document) {
  const now = Date.now();
  for (const e of $$("[data-since]", r)) e.textContent = duration(now - e.dataset.since);
  for (const e of $$("[data-ago]", r)) {
    const ms = now - e.dataset.ago;
    e.textContent = ms < 0 ? `in ${duration(-ms)}` : `${duration(ms)} ago`;
  }
}
