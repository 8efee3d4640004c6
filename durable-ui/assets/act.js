// @ts-check
/** Actions: forms in dialogs become requests to the API. Search: ids, names, tags, pages, commands. */
import { $, $$, base, open, page, say } from "./dom.js";
import { refresh } from "./live.js";

/** Sends a request to the API. A page must add the header to every change.
 * @param {string} method @param {string} url @param {any} [body] */
export async function send(method, url, body) {
  const answer = await fetch(url, {
    method, headers: { "content-type": "application/json", "x-durable": "1" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  let data = null;
  try { data = text ? JSON.parse(text) : null; } catch { data = text; }
  if (!answer.ok) throw new Error(data?.detail || data?.title || `${answer.status} ${answer.statusText}`);
  return data;
}

/** The members of the body that a form makes; a field without a name is the whole body.
 * @param {HTMLFormElement} form */
function body(form) {
  /** @type {any} */ let all = {};
  for (const f of /** @type {any[]} */ ([...form.elements])) {
    if (f.name === undefined || f.type === "submit" || f.type === "button" || f.name.startsWith("{")) continue;
    let v = f.type === "checkbox" ? f.checked || undefined : f.value;
    if (f.dataset.json !== undefined) {
      if (!v.trim()) v = undefined;
      else try { v = JSON.parse(v); } catch (e) { throw new Error(`${f.labels?.[0]?.textContent ?? f.name} is not JSON: ${/** @type {Error} */ (e).message}`); }
    } else if (f.type === "number") v = v === "" ? undefined : Number(v);
    else if (v === "") v = undefined;
    if (f.name === "") all = v === undefined ? null : v;
    else if (v !== undefined) all[f.name] = v;
  }
  return all;
}

/** @param {Event} e @param {HTMLFormElement} form */
export async function sending(e, form) {
  e.preventDefault();
  const note = $("[role=alert]", form), button = $("[type=submit]", form);
  note.hidden = true;
  button.disabled = true;
  try {
    let url = form.dataset.url ?? "";
    for (const f of $$("[name^='{']", form)) url = url.replace(f.name, encodeURIComponent(f.value));
    const data = await send(form.dataset.send ?? "POST", url, body(form));
    form.closest("dialog")?.close();
    say("Done");
    const next = form.dataset.next;
    if (next) location.href = next.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(data?.[name] ?? ""));
    else refresh();
  } catch (error) {
    note.textContent = /** @type {Error} */ (error).message;
    note.hidden = false;
  } finally { button.disabled = false; }
}

const pages = ["Overview", "Instances", "Activities", "Entities", "Locks", "Schedules", "Batches", "Hub", "Events"];
const paths = ["", "instances", "activities", "entities", "locks", "schedules", "batches", "hub", "live"];
const commands = ["suspend", "resume", "terminate", "rewind", "restart", "purge", "raise"];
let turn = 0, at = 0;

export function search() {
  open("search");
  const box = $("#search-q");
  box.value = "";
  found([]);
  box.focus();
}

/** @param {{label: string, kind: string, href: string}[]} items */
function found(items) {
  const list = $("#search-l");
  at = 0;
  list.replaceChildren(...items.map((item, i) => {
    const li = document.createElement("li"), a = document.createElement("a"), kind = document.createElement("span"), label = document.createElement("bdi");
    li.id = `search-${i}`;
    li.role = "option";
    li.setAttribute("aria-selected", String(i === 0));
    a.href = item.href;
    a.tabIndex = -1;
    kind.className = "q";
    kind.textContent = item.kind;
    label.textContent = item.label;
    a.append(kind, label);
    li.append(a);
    return li;
  }));
  if (items.length) $("#search-q").setAttribute("aria-activedescendant", "search-0");
}

/** @param {string} text */
async function find(text) {
  const mine = ++turn, words = text.trim().split(/\s+/), word = words[words.length - 1];
  if (!word) { found([]); return; }
  const command = words.length > 1 && commands.includes(words[0]) ? words[0] : "";
  const lower = word.toLowerCase();
  const items = command ? [] : pages.flatMap((label, i) => label.toLowerCase().startsWith(lower) ? [{ label, kind: "Page", href: page(paths[i]) }] : []);
  if (word.includes(":")) items.push({ label: word, kind: "Tag", href: `${base}/instances?tag=${encodeURIComponent(word)}` });
  const get = (/** @type {string} */ path) => fetch(`${base}/api/v1/${path}`).then((a) => a.ok ? a.json() : null, () => null);
  const [ids, known] = await Promise.all([get(`instances?limit=8&prefix=${encodeURIComponent(word)}`), command ? null : get("registered")]);
  if (mine !== turn) return;
  for (const i of ids?.items ?? []) items.push({ label: (command && command + " ") + i.instanceId, kind: i.runtimeStatus, href: `${base}/instances/${encodeURIComponent(i.instanceId)}${command && "?do=" + command}` });
  for (const n of new Set((known?.orchestrators ?? []).map((/** @type {any} */ o) => o.name))) if (n.toLowerCase().includes(lower)) items.push({ label: n, kind: "Name", href: `${base}/instances?name=${encodeURIComponent(n)}` });
  found(items.slice(0, 12));
}

const box = $("#search-q");
/** @type {number | undefined} */ let timer;
box?.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => find(box.value), 120); });
box?.addEventListener("keydown", (/** @type {KeyboardEvent} */ e) => {
  const all = $$("#search-l > li");
  if (e.key === "Enter" && all[at]) { e.preventDefault(); location.href = $("a", all[at]).href; }
  if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
  e.preventDefault();
  at = (at + (e.key === "ArrowDown" ? 1 : all.length - 1)) % Math.max(1, all.length);
  all.forEach((li, i) => li.setAttribute("aria-selected", String(i === at)));
  all[at]?.scrollIntoView({ block: "nearest" });
  if (all[at]) box.setAttribute("aria-activedescendant", all[at].id);
});

// A link of the search names the action to open.
const wanted = new URLSearchParams(location.search).get("do");
if (wanted) open("do-" + wanted);
