// The annotation page. Everything that came from the crawl is set as text, never as mark-up.
"use strict";

const byId = (id) => document.getElementById(id);
const POLL_MS = 2000;
const SILENT = "The server does not answer.";
let rows = [];        // what the server sent, flat: {prefix, depth, pages, collected, proposed}
let shown = [];       // the rows that the page shows now
let decisions = {};   // prefix -> {label, who, when, round}
let version = "";
let round = 0;
let waits = false;
let domain = "";      // what the corpus is about; decisions are stored as math or other whatever it is
let here = "";        // the prefix with the cursor
let samples = [];
let samplesOf = "";
let sampleAt = -1;

function made(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function notice(text, bad) {
  byId("notice").textContent = text;
  byId("notice").classList.toggle("bad", Boolean(bad));
}

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "content-type": "application/json", "x-annotate": "1" },
    body: JSON.stringify(body),
  };
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Error(SILENT + " Start 'seekmath annotate' again; what was decided before is kept.");
  }
  if (response.status === 204) return null;
  if (!response.ok) {
    const text = await response.text();
    let message = text;
    try { message = JSON.parse(text).error; } catch { /* plain text */ }
    throw new Error(message);
  }
  return response.json();
}

// What holds for a prefix: its own decision, or that of the nearest one above it.
function holds(prefix) {
  if (decisions[prefix]) return { own: true, from: prefix, ...decisions[prefix] };
  let up = prefix;
  while ((up = up.replace(/[^/]*\/$/, ""))) {
    if (decisions[up]) return { own: false, from: up, ...decisions[up] };
  }
  return null;
}

// The domain's name where room is short.
function subject() {
  return domain === "mathematics" ? "math" : domain;
}

function decisionCell(prefix) {
  const cell = made("span", "decision");
  const found = holds(prefix);
  if (!found) return cell;
  cell.classList.toggle("under", !found.own);
  cell.append(made("span", "chip " + found.label, found.label === "math" ? subject() : "not " + subject()));
  cell.append(" ", made("span", "by", found.own ? found.who : "above"));
  cell.title = `${found.from}: ${found.who}, ${found.when}, round ${found.round}`;
  return cell;
}

function rowElement(row) {
  const element = made("div", "row" + (row.depth ? "" : " host"));
  element.dataset.prefix = row.prefix;
  element.setAttribute("role", "option");
  const name = made("span", "prefix d" + Math.min(row.depth, 4));
  name.append(made("span", "text", row.depth ? row.prefix.slice(row.prefix.indexOf("/")) : row.prefix));
  name.title = row.prefix;
  if (row.proposed) name.append(made("span", "star", "★"));
  const share = made("span", "share", `${row.collected.toLocaleString()} · ${Math.round(100 * row.collected / row.pages)}%`);
  const bar = made("progress");
  bar.max = row.pages;
  bar.value = row.collected;
  bar.setAttribute("aria-hidden", "true");
  share.append(bar);
  element.append(name, made("span", "number", row.pages.toLocaleString()), share, decisionCell(row.prefix));
  element.addEventListener("click", () => go(row.prefix));
  return element;
}

function draw() {
  const only = byId("undecided").checked;
  const before = shown.findIndex((row) => row.prefix === here);
  shown = rows.filter((row) => !only || !holds(row.prefix) || row.prefix === here);
  byId("rows").replaceChildren(...shown.map(rowElement));
  if (!shown.some((row) => row.prefix === here)) {
    here = shown.length ? shown[Math.min(Math.max(before, 0), shown.length - 1)].prefix : "";
  }
  mark();
}

function drawDecisions() {
  if (byId("undecided").checked) return draw();
  for (const element of byId("rows").children) {
    element.lastChild.replaceWith(decisionCell(element.dataset.prefix));
  }
}

function mark() {
  for (const element of byId("rows").children) {
    const on = element.dataset.prefix === here;
    element.classList.toggle("here", on);
    element.setAttribute("aria-selected", String(on));
    if (on) element.scrollIntoView({ block: "nearest" });
  }
}

function go(prefix) {
  here = prefix;
  mark();
  if (samplesOf && samplesOf !== here) closeSamples();
}

function move(step, hostsOnly) {
  let at = shown.findIndex((row) => row.prefix === here) + step;
  while (hostsOnly && shown[at] && shown[at].depth) at += step;
  if (shown[at]) go(shown[at].prefix);
}

function who() {
  return byId("who").value.trim();
}

async function decide(label) {
  if (!here) return;
  const prefix = here;
  if (!who()) return needName();
  await ask("/api/decide", { prefix, label, who: who() });
  await poll();
  notice(`${prefix} is ${label === "math" ? domain : "not " + domain}. u takes it back.`);
  if (here === prefix) move(1, false);
}

async function undo() {
  if (!who()) return needName();
  const done = await ask("/api/undo", { who: who() });
  await poll();
  notice(done.prefix ? `Taken back: ${done.prefix}` : "There is nothing of yours to take back in this round.");
  if (done.prefix && shown.some((row) => row.prefix === done.prefix)) go(done.prefix);
}

function needName() {
  notice("Say who you are first.", true);
  byId("who").focus();
}

function finishAsked() {
  if (!waits) return;
  const open = rows.filter((row) => row.depth === 0 && !rows.some((below) => below.prefix.startsWith(row.prefix) && decisions[below.prefix]));
  byId("confirm-text").textContent = `Finish round ${round}? ` +
    (open.length ? `${open.length} of the hosts shown have no decision; nothing of them joins the seeds. ` : "") +
    "The run then goes on when its command is given again.";
  byId("confirm").showModal();
}

async function finish() {
  byId("confirm").close();
  if (!who()) return needName();
  await ask("/api/finish", { round: String(round), who: who() });
  notice("The round is finished. Give the command of the run again.");
  await poll();
}

function closeSamples() {
  samples = [];
  samplesOf = "";
  sampleAt = -1;
  byId("samples-list").replaceChildren();
  byId("page").hidden = true;
  byId("page").removeAttribute("src");
  byId("samples-empty").hidden = false;
}

async function openSample() {
  if (!here) return;
  if (samplesOf !== here) {
    const prefix = here;
    const found = await ask("/api/samples?prefix=" + encodeURIComponent(prefix));
    if (prefix !== here) return;
    samples = found.samples;
    samplesOf = prefix;
    sampleAt = -1;
  }
  if (samples.length) showSample((sampleAt + 1) % samples.length);
}

function showSample(at) {
  sampleAt = at;
  byId("samples-empty").hidden = true;
  byId("samples-list").replaceChildren(...samples.map(sampleElement));
  const frame = byId("page");
  frame.hidden = false;
  frame.src = `/sample?shard=${encodeURIComponent(samples[at].shard)}&row=${encodeURIComponent(samples[at].row)}`;
}

function sampleElement(page, at) {
  const element = made("div", "page" + (at === sampleAt ? " here" : ""));
  const kind = page.collected ? "collected" : "missed";
  element.append(made("span", "mark" + (page.collected ? " in" : ""), `${kind} ${page.score.toFixed(2)}`));
  element.append(made("span", "title", page.title || page.url));
  const url = made("span", "url");
  if (page.link) {
    const link = made("a", "", page.url);
    link.href = page.link;
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
    link.tabIndex = -1;
    link.addEventListener("click", (event) => event.stopPropagation());
    url.append(link);
  } else {
    url.textContent = page.url;
  }
  element.append(url);
  element.addEventListener("click", () => showSample(at));
  return element;
}

async function load() {
  const wanted = byId("filter").value;
  const found = await ask("/api/hosts?filter=" + encodeURIComponent(wanted));
  if (wanted !== byId("filter").value) return;
  rows = found.hosts.flat();
  const left = found.found - found.hosts.length;
  byId("rest").textContent = !found.found ? (wanted ? "Nothing matches the filter." : "The round has no candidate hosts.")
    : left > 0 ? `${left.toLocaleString()} more hosts; filter to see them.` : "";
  byId("facts").dataset.hosts = wanted ? `${found.found} of ${found.of} candidate hosts` : `${found.of} candidate hosts`;
  draw();
  facts();
}

function facts() {
  const all = Object.values(decisions);
  const math = all.filter((one) => one.label === "math").length;
  byId("facts").textContent = `${byId("facts").dataset.run || ""} · round ${round} · ${byId("facts").dataset.hosts || ""} · ` +
    `${math} prefixes ${subject()}, ${all.length - math} not` + (waits ? " · the run waits for this round" : "");
  byId("finish").disabled = !waits;
}

async function poll() {
  const found = await ask("/api/state?version=" + encodeURIComponent(version));
  if (byId("notice").textContent.startsWith(SILENT)) notice("");
  if (!found) return;
  const newRound = round !== found.round;
  ({ version, decisions, round, waits, domain } = found);
  byId("question").textContent = `Which prefixes hold ${domain}?`;
  byId("facts").dataset.run = found.run;
  document.title = `Annotate ${found.run}`;
  if (!byId("who").value && document.activeElement !== byId("who")) byId("who").value = localStorage.getItem("who") || found.who;
  if (newRound) { closeSamples(); await load(); }
  drawDecisions();
  facts();
}

async function guarded(work) {
  try {
    await work();
  } catch (error) {
    notice(error.message, true);
  }
}

const KEYS = {
  j: () => move(1, false), ArrowDown: () => move(1, false),
  k: () => move(-1, false), ArrowUp: () => move(-1, false),
  J: () => move(1, true), K: () => move(-1, true),
  m: () => decide("math"), n: () => decide("other"),
  u: undo, o: openSample, F: finishAsked,
};
// At once, for what is typed next goes there.
const KEYS_AT_ONCE = {
  "/": () => byId("filter").focus(),
  "?": () => byId("help").showModal(),
};
// One after the other, so that quick keys are taken in their order.
let queue = Promise.resolve();

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input:not([type=checkbox])")) {
    if (event.key === "Escape" || event.key === "Enter") {
      event.target.blur();
      byId("rows").focus();
      event.preventDefault();
    }
    return;
  }
  const atOnce = KEYS_AT_ONCE[event.key];
  const action = KEYS[event.key];
  if (!atOnce && !action) return;
  event.preventDefault();
  if (atOnce) return atOnce();
  queue = queue.then(() => guarded(async () => action()));
});
// A click into the sample would keep the keys there.
window.addEventListener("blur", () => setTimeout(() => {
  if (document.activeElement === byId("page")) { byId("page").blur(); window.focus(); }
}));
byId("who").addEventListener("change", () => localStorage.setItem("who", who()));
byId("filter").addEventListener("input", () => guarded(load));
byId("undecided").addEventListener("change", draw);
byId("finish").addEventListener("click", finishAsked);
byId("help-open").addEventListener("click", () => byId("help").showModal());
byId("confirm-yes").addEventListener("click", () => guarded(finish));
byId("confirm-no").addEventListener("click", () => byId("confirm").close());
guarded(poll);
setInterval(() => guarded(poll), POLL_MS);
