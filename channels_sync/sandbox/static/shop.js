"use strict";
// Asks every two seconds and rewrites only the words that changed; nothing else on the page moves.

const EVERY_MS = 2000;
const ANNOUNCED_MAX = 3;
const products = document.getElementById("products");
const strip = document.querySelector(".strip");
const last = document.getElementById("last");
const changes = document.getElementById("changes");
const news = document.getElementById("news");
const count = document.getElementById("count");

let catalogue = document.body.dataset.catalogue;
let shown = null; // the last answer
let clockAhead = 0; // the shop's clock minus ours, in milliseconds
let timer = 0;

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function ago(moment) {
  const seconds = Math.max(0, Math.round((Date.now() + clockAhead - Date.parse(moment)) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(moment).toLocaleDateString();
}

function figures(line) {
  return `${line.before.toLocaleString("en")} → ${line.after.toLocaleString("en")}`;
}

function showLast(line) {
  if (!line) {
    last.textContent = `No change from ${document.body.dataset.app} yet`;
    return;
  }
  last.replaceChildren(
    `Last change from ${line.app}: `, element("b", line.title), " ", element("b", figures(line), "figures"), ", ",
    Object.assign(element("span", ago(line.at)), { id: "age" }),
  );
}

function showChanges(lines) {
  if (!lines.length) return;
  changes.replaceChildren(...lines.map((line) => {
    const row = element("tr");
    const when = element("td", ago(line.at));
    when.dataset.at = line.at;
    const reference = element("td", line.reference || "–", "reference");
    reference.title = line.reference;
    row.append(when, element("td", line.title), element("td", figures(line), "number"), element("td", line.app), reference);
    return row;
  }));
}

function showStock(answer) {
  const told = [];
  for (const product of answer.products) {
    const card = products.querySelector(`[data-id="${product.id}"]`);
    const words = card && card.querySelector("[data-stock]");
    if (!words || words.textContent === product.stock) continue;
    words.textContent = product.stock;
    card.dataset.level = product.level;
    card.classList.remove("changed");
    void card.offsetWidth; // lets the same animation start again
    card.classList.add("changed");
    told.push(`${card.querySelector("h2").textContent}: ${product.stock}`);
  }
  if (told.length) {
    const rest = told.length - ANNOUNCED_MAX;
    news.textContent = told.slice(0, ANNOUNCED_MAX).join(". ") + (rest > 0 ? `. ${rest} more changed.` : "");
  }
}

async function redraw(answer) {
  const response = await fetch("/?part=grid", { cache: "no-store" });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  products.innerHTML = await response.text(); // our own server's words, escaped there
  catalogue = answer.catalogue;
  const number = products.querySelectorAll(".card").length;
  count.textContent = number === 1 ? "1 product" : `${number.toLocaleString("en")} products`;
}

async function refresh() {
  clearTimeout(timer);
  try {
    const response = await fetch("/shop.json", { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const answer = await response.json();
    clockAhead = Date.parse(answer.now) - Date.now();
    if (answer.catalogue !== catalogue) await redraw(answer);
    showStock(answer);
    showLast(answer.last);
    showChanges(answer.changes);
    shown = answer;
    strip.classList.remove("lost");
  } catch {
    strip.classList.add("lost");
    last.textContent = shown ? `The shop does not answer; what you see is from ${ago(shown.now)}` : "The shop does not answer";
  }
  if (!document.hidden) timer = setTimeout(refresh, EVERY_MS);
}

setInterval(() => {
  if (!shown || strip.classList.contains("lost")) return;
  const age = document.getElementById("age");
  if (age && shown.last) age.textContent = ago(shown.last.at);
  for (const when of changes.querySelectorAll("[data-at]")) when.textContent = ago(when.dataset.at);
}, 1000);

document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else refresh();
});
refresh();
