// @ts-check
/** The list of instances: selection, actions on it, saved views. */
import { $, $$, base, open, say, verbs } from "./dom.js";
import { send } from "./act.js";
import { refresh } from "./live.js";

const bar = $("#batch");
let matching = false;
const picked = () => $$("input[name=pick]:checked");

function selection() {
  const n = picked().length, all = $("input[name=pick-all]"), m = $$("input[name=pick]").length;
  if (n < m || m === 0) matching = false;
  if (all) { all.checked = n > 0 && n === m; all.indeterminate = n > 0 && n < m; }
  if (!bar) return;
  bar.hidden = n === 0;
  $("#picked").textContent = matching ? "All that match" : String(n);
  $("[data-do=pick-matching]", bar).setAttribute("aria-pressed", String(matching));
  const statuses = new Set(picked().map((c) => c.dataset.status));
  for (const b of $$("[data-do=batch]", bar)) {
    const fits = matching || b.dataset.from.split(" ").some((/** @type {string} */ s) => statuses.has(s));
    b.setAttribute("aria-disabled", String(!fits));
    b.title = fits ? "" : `Acts only on: ${b.dataset.from.split(" ").join(", ").toLowerCase()}`;
  }
  $("#dry").hidden = true;
}
document.addEventListener("change", (e) => {
  const c = e.target;
  if (!(c instanceof HTMLInputElement)) return;
  if (c.name === "pick-all") for (const o of $$("input[name=pick]")) o.checked = c.checked;
  if (c.name === "pick" || c.name === "pick-all") selection();
  if (c.name === "status" && c.form?.dataset.filter !== undefined) c.form.requestSubmit();
});
// Rows that appear while all that match are selected are selected, too.
document.addEventListener("swapped", () => {
  if (matching) for (const c of $$("input[name=pick]")) c.checked = true;
  selection();
});
// Empty fields, and several statuses one by one, would make long addresses.
$("form[data-filter]")?.addEventListener("submit", (/** @type {SubmitEvent} */ e) => {
  e.preventDefault();
  const data = new FormData(/** @type {HTMLFormElement} */ (e.target)), query = new URLSearchParams();
  const statuses = data.getAll("status").join(",");
  if (statuses) query.set("status", statuses);
  for (const [k, v] of data) if (k !== "status" && String(v).trim()) query.append(k, String(v).trim());
  const text = query.toString().replace(/%2C/g, ",").replace(/%3A/g, ":");
  location.href = `${base}/instances${text && "?" + text}`;
});

verbs.clear = () => { matching = false; for (const c of picked()) c.checked = false; selection(); };
verbs["pick-matching"] = () => { matching = !matching; for (const c of $$("input[name=pick]")) c.checked = true; selection(); };
verbs.batch = (b) => {
  if (b.getAttribute("aria-disabled") === "true") return;
  const verb = b.dataset.verb ?? "", from = (b.dataset.from ?? "").split(" "), id = `do-batch-${verb}`;
  const fit = picked().filter((c) => from.includes(c.dataset.status)), out = picked().length - fit.length;
  const d = $("#" + id), effect = $("p.q2", d), button = $("[type=submit]", d), note = $("[role=alert]", d);
  note.hidden = true;
  button.textContent = matching ? `${b.textContent} all that match` : `${b.textContent} ${fit.length}`;
  effect.textContent = matching ? "Counting what it would touch." : `${fit.length} will change${out ? `, ${out} of the selected cannot and stay as they are` : ""}: ${fit.slice(0, 5).map((c) => c.value).join(", ")}${fit.length > 5 ? ", and more" : ""}.`;
  if (matching) dry(verb).then((t) => { effect.textContent = t; }, (e) => { effect.textContent = `The dry run failed: ${e.message}`; });
  open(id);
};

/** @param {string} verb @param {any} fields */
const action = (verb, fields) => ({ [verb]: fields });
const body = (/** @type {string} */ verb, /** @type {any} */ fields, /** @type {boolean} */ dryRun) => ({ query: JSON.parse(bar.dataset.filter), action: action(verb, fields), dryRun });
const api = bar?.dataset.api ?? `${base}/api/v1/`;

/** Asks a batch what it would touch. @param {string} verb */
async function dry(verb) {
  let batch = await send("POST", `${api}batches`, body(verb, {}, true));
  for (let i = 0; i < 60 && ["Pending", "Running"].includes(batch.runtimeStatus); i++) {
    await new Promise((r) => setTimeout(r, 250));
    batch = await send("GET", `${api}batches/${encodeURIComponent(batch.id)}`);
  }
  const p = batch.progress ?? {}, ids = p.instanceIds ?? [];
  return `Dry run: ${p.matched ?? 0} match now${ids.length ? `: ${ids.slice(0, 5).join(", ")}${p.matched > 5 ? ", and more" : ""}` : ""}. Nothing was changed. Those that cannot ${verb} stay as they are.`;
}

document.addEventListener("submit", async (e) => {
  const form = e.target;
  const verb = form instanceof HTMLFormElement ? form.closest("dialog[id^=do-batch-]")?.id.slice(9) : "";
  if (!verb || !(form instanceof HTMLFormElement)) return;
  e.preventDefault();
  e.stopImmediatePropagation();
  /** @type {any} */ const fields = {};
  for (const f of /** @type {any[]} */ ([...form.elements])) if (f.name) { if (f.type === "checkbox") { if (f.checked) fields[f.name] = true; } else if (f.value) fields[f.name] = f.value; }
  const note = $("[role=alert]", form), button = $("[type=submit]", form);
  button.disabled = true;
  try {
    if (matching) {
      const batch = await send("POST", `${api}batches`, body(verb, fields, false));
      location.href = `${base}/batches/${encodeURIComponent(batch.id)}`;
      return;
    }
    const from = ($(`[data-verb=${verb}]`)?.dataset.from ?? "").split(" ");
    const ids = picked().filter((c) => from.includes(c.dataset.status)).map((c) => c.value);
    /** @type {string[]} */ const failed = [];
    for (const id of ids) await send("POST", `${api}instances/${encodeURIComponent(id)}:${verb}`, fields).catch((x) => failed.push(`${id}: ${x.message}`));
    form.closest("dialog")?.close();
    verbs.clear(form);
    const text = `${verb}: ${ids.length - failed.length} done${failed.length ? `, ${failed.length} refused. ${failed.slice(0, 3).join("; ")}` : ""}.`;
    const out = $("#dry");
    if (failed.length) { bar.hidden = false; out.hidden = false; out.textContent = text; }
    say(text);
    refresh();
  } catch (x) { note.textContent = /** @type {Error} */ (x).message; note.hidden = false; } finally { button.disabled = false; }
}, true);

// Saved views: names and queries, in this browser.
const key = `durable-views:${base}`;
/** @returns {{name: string, query: string}[]} */
const saved = () => { try { return JSON.parse(localStorage.getItem(key) ?? "[]"); } catch { return []; } };
const here = () => { const q = new URLSearchParams(location.search); q.delete("after"); return q.toString(); };
function views() {
  const place = $("#views");
  if (!place) return;
  for (const old of $$(".tabs .own")) old.remove();
  for (const { name, query } of saved()) {
    const a = document.createElement("a");
    a.className = "own";
    a.href = `${base}/instances?${query}`;
    const label = document.createElement("bdi");
    label.textContent = name;
    a.append(label);
    if (query === here()) a.setAttribute("aria-current", "page");
    place.before(a);
  }
  const b = $("[data-do=save-view]");
  if (b) b.lastChild.textContent = saved().some((v) => v.query === here()) ? "Forget this view" : "Save this view";
}
verbs["save-view"] = () => {
  const query = here(), old = saved();
  if (old.some((v) => v.query === query)) localStorage.setItem(key, JSON.stringify(old.filter((v) => v.query !== query)));
  else {
    const name = prompt("Name of this view")?.trim();
    if (!name) return;
    localStorage.setItem(key, JSON.stringify([...old.filter((v) => v.name !== name), { name, query }]));
  }
  views();
};
views();
selection();
