// A walk through the dashboard; see `run`. The first argument is its address.
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const base = process.argv[2];
const pages = ["", "/instances", "/instances?status=failed&from=-1h", "/live", "/start?name=checkout", "/hub",
  "/locks", "/entities", "/schedules", "/activities", "/batches", "/grid?name=checkout", "/compare",
  "/instances?status=running&sort=created", "/instances/order-2026-11-28-000004", "/nowhere",
  ...["history", "history?rows=full", "pending", "source", "sequence", "children", "entities", "io"]
    .map((tab) => `/instances/order-2026-11-28-000004/${tab}`)];
const axe = readFileSync("node_modules/axe-core/axe.min.js", "utf8");
const faults = [];
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

/** A tab whose console errors are faults, and so are reports of the content security policy. */
async function tab(width, colorScheme) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  const page = await context.newPage();
  page.on("console", (m) => { if (["error", "warning"].includes(m.type()) && !/404|Failed to load/.test(m.text())) faults.push(`${page.url()}: ${m.text()}`); });
  page.on("pageerror", (e) => faults.push(`${page.url()}: ${e.message}`));
  await page.addInitScript(() => addEventListener("securitypolicyviolation", (e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI}`)));
  return page;
}

for (const theme of ["light", "dark"]) for (const width of [1280, 390]) {
  const page = await tab(width, theme);
  for (const path of pages) {
    await page.goto(base + path);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (over > 0) faults.push(`${path} at ${width} px scrolls sideways by ${over} px`);
    await page.screenshot({ path: `${path.replace(/\W+/g, "-") || "overview"}-${theme}-${width}.png` });
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document));
    for (const v of found.violations) faults.push(`${path}, ${theme}, ${width} px: ${v.id}: ${v.nodes[0].html}`);
  }
  await page.context().close();
}

const page = await tab(1280, "light");
async function step(name, does) {
  const begin = Date.now();
  try { await does(); } catch (e) { faults.push(`${name}: ${e.message.split("\n")[0]}`); }
  console.log(`${String(Date.now() - begin).padStart(6)} ms  ${name}`);
}
const soon = { timeout: 1000 };
const call = (path, body) => page.evaluate(async ([url, body]) => {
  await fetch(url, { method: "POST", headers: { "x-durable": "1" }, body: JSON.stringify(body) });
}, [`${base}/api/v1/${path}`, body]);

await page.goto(base + "/instances");
await step("j, k and x select a row", async () => {
  for (const key of ["j", "j", "k", "x"]) await page.keyboard.press(key);
  await page.waitForSelector("#batch:not([hidden])", soon);
});
await step("a chip filters by status", async () => {
  await page.click("label.chip:has(input[value=running])");
  await page.waitForURL(/status=running/);
});
await step("an instance that is started appears within a second", async () => {
  await call("instances", { name: "checkout", id: "aaa-live", input: { number: 3, customer: "c", cents: 1 } });
  await page.waitForSelector("a[href$='/instances/aaa-live']", soon);
});
await step("a dialog suspends the selected row, which leaves the list", async () => {
  await page.check("input[name=pick][value=aaa-live]");
  await page.click("[data-verb=suspend]");
  await page.fill("#do-batch-suspend input[name=reason]", "a test");
  await page.keyboard.press("Enter");
  await page.waitForSelector("a[href$='/instances/aaa-live']", { state: "detached", timeout: 2000 });
});
await step("all that match are counted by a dry run", async () => {
  await page.check("input[name=pick-all]");
  await page.click("[data-do=pick-matching]");
  await page.click("[data-verb=terminate]");
  await page.waitForFunction(() => document.querySelector("#do-batch-terminate p.q2").textContent.startsWith("Dry run:"), null, { timeout: 5000 });
  await page.keyboard.press("Escape");
});
await step("Ctrl+K finds an instance by its id", async () => {
  await page.keyboard.press("Control+k");
  await page.keyboard.type("aaa");
  await page.waitForSelector("#search-l li", { timeout: 2000 });
  await page.keyboard.press("Enter");
  await page.waitForURL(/instances\/aaa-live/);
});
await step("g and a letter go to a page", async () => {
  await page.keyboard.press("g");
  await page.keyboard.press("o");
  await page.waitForURL((url) => url.href.replace(/\/$/, "") === base);
});
await step("? shows the keys, c the drawer", async () => {
  await page.keyboard.press("?");
  await page.waitForSelector("#help[open]", soon);
  await page.keyboard.press("Escape");
  await page.keyboard.press("c");
  await page.waitForSelector(".drawer[open]", soon);
});
await step("events appear as they happen", async () => {
  await page.goto(base + "/live");
  await page.waitForSelector("#live[data-s=on]");
  await call("instances/aaa-live:resume", {});
  await page.waitForSelector("#stream tr:has-text('aaa-live')", { timeout: 2000 });
});
await step("the form refuses what is not JSON, and starts an instance", async () => {
  await page.goto(base + "/start?name=checkout");
  await page.fill("#s-input", "{");
  await page.click("form.wide [type=submit]");
  await page.waitForSelector(".note.bad:not([hidden])", soon);
  await page.fill("#s-input", '{"number": 1, "customer": "c", "cents": 2}');
  await page.click("form.wide [type=submit]");
  await page.waitForURL(/instances\/[0-9a-f]/);
});
const hostile = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
await step("a stuck instance is opened by keyboard, and suspended with a reason", async () => {
  await call("instances", { name: "checkout", id: "aab-stuck", input: { number: 3, customer: hostile, cents: 1 }, tags: { note: hostile } });
  await page.goto(base + "/instances?prefix=aab-stuck");
  await page.waitForSelector("a[href$='/instances/aab-stuck']", soon);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(/instances\/aab-stuck/);
  await page.waitForSelector("#live[data-s=on]");
  await page.click("[data-open=do-suspend]");
  await page.fill("#do-suspend input[name=reason]", hostile);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".head .st-suspended", soon);
});
await step("the status changes live within a second", async () => {
  await page.waitForSelector("#live[data-s=on]");
  await call("instances/aab-stuck:resume", {});
  await page.waitForSelector(".head .st-running", soon);
});
await step("hostile text is text in every tab of an instance", async () => {
  const tabs = await page.$$eval(".tabs a", (links) => links.map((a) => a.href));
  if (tabs.length < 5) throw new Error("there are no tabs");
  for (const tab of tabs) {
    await page.goto(tab);
    if (await page.$("main img, main script")) throw new Error(`${tab} has markup of a user`);
  }
});
await step("a text of 1 MB and deep JSON are shown in part", async () => {
  const id = "aac-long", deep = JSON.parse("[".repeat(100) + "]".repeat(100));
  await call("instances", { name: "checkout", id, input: { number: 3, customer: "\u202e<b>".repeat(160000), cents: 1 } });
  await call(`instances/${id}:raise/Deep`, deep);
  for (const tab of ["", "/io", "/history?rows=full"]) {
    const begin = Date.now(), answer = await page.goto(`${base}/instances/${id}${tab}`);
    if (answer?.status() !== 200) throw new Error(`${id}${tab}: ${answer?.status()}`);
    if (Date.now() - begin > 2000) throw new Error(`${id}${tab} takes ${Date.now() - begin} ms`);
    if (await page.$("main b b, main img, main script")) throw new Error(`${id}${tab} has markup of a user`);
  }
  if (!(await page.innerText("main")).includes('"Deep"')) throw new Error("the event is not in the history");
});
await step("a schedule is created, edited and paused by keyboard", async () => {
  await page.goto(base + "/schedules");
  await page.focus("[data-open=do-create]");
  await page.keyboard.press("Enter");
  for (const [name, value] of [["id", "every-hour"], ["name", "checkout"], ["everySeconds", "3600"], ["input", '{"number": 1, "customer": "c", "cents": 2}']]) {
    await page.focus(`#do-create [name=${name}]`);
    await page.keyboard.insertText(value);
  }
  await page.focus("#do-create [type=submit]");
  await page.keyboard.press("Enter");
  await page.waitForURL(/schedules\/every-hour/, soon);
  await page.click("[data-open=do-edit]");
  await page.fill("#do-edit [name=everySeconds]", "7200");
  await page.click("#do-edit [type=submit]");
  await page.waitForSelector("#facts:has-text('Every 2 hours')", soon);
  await page.click("[data-open=do-pause]");
  await page.click("#do-pause [type=submit]");
  await page.waitForSelector("#facts:has-text('Every 2 hours'), .st:has-text('Paused')", soon);
});
await step("an instance is started again with another input", async () => {
  await page.goto(base + "/instances/aab-stuck");
  await page.click("#more summary");
  await page.click("text=Start again with another input");
  await page.waitForURL(/start\?from=aab-stuck/);
  const input = JSON.parse(await page.inputValue("#s-input"));
  if (input.customer !== hostile) throw new Error("the form has not the input of the instance");
});
await step("pages are read without JavaScript", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const plain = await context.newPage();
  for (const [path, words] of [["", "Running longest"], ["/instances", "checkout"], ["/instances/aab-stuck", "Why it is not moving"], ["/instances/aab-stuck/history", "checkout"]]) {
    await plain.goto(base + path);
    if (!(await plain.innerText("main")).includes(words)) throw new Error(`${path} does not say ${words}`);
  }
  await context.close();
});
await step("the theme stays in a cookie", async () => {
  await page.keyboard.press("d");
  await page.reload();
  if (await page.evaluate(() => document.documentElement.dataset.theme) !== "dark") throw new Error("it is not dark");
});

await browser.close();
if (faults.length) {
  console.error([...new Set(faults)].join("\n"));
  process.exit(1);
}
