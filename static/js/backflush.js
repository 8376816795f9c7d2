/* Backflush: behaviour of the shell. Every page works without it as plain forms and links. */
(() => {
  "use strict";

  const isTyping = (element) =>
    element && (/^(input|textarea|select)$/i.test(element.tagName) || element.isContentEditable);

  /* htmx: show the answer to a form with errors; send the CSRF token with every request; never eval attributes. */
  if (window.htmx) {
    htmx.config.responseHandling = [
      { code: "204", swap: false },
      { code: "[23]..", swap: true },
      { code: "422", swap: true },
      { code: "[45]..", swap: false, error: true },
    ];
    htmx.config.historyCacheSize = 0;
    htmx.config.refreshOnHistoryMiss = true;
    htmx.config.scrollBehavior = "auto";
  }

  document.addEventListener("htmx:configRequest", (event) => {
    const token = document.querySelector("meta[name=csrf-token]");
    if (token && event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = token.content;
    if (event.detail.verb === "get") {
      const parameters = event.detail.parameters;
      Object.keys(parameters).forEach((name) => { if (parameters[name] === "") delete parameters[name]; });
    }
  });

  /* Toasts leave by themselves after a while, not while somebody points at them; refusals stay. */
  const watchToast = (toast) => {
    if (toast.dataset.watched) return;
    toast.dataset.watched = "1";
    toast.querySelector("[data-close]")?.addEventListener("click", () => toast.remove());
    if (toast.dataset.tone === "blocked") return;
    let timer;
    const start = () => { timer = setTimeout(() => toast.remove(), 15000); };
    toast.addEventListener("mouseenter", () => clearTimeout(timer));
    toast.addEventListener("mouseleave", start);
    toast.addEventListener("focusin", () => clearTimeout(timer));
    start();
  };

  const showToast = (text, tone) => {
    const place = document.getElementById("toasts");
    if (!place) return;
    const toast = document.createElement("div");
    toast.className = "bf-toast";
    toast.dataset.tone = tone;
    toast.innerHTML = '<span class="material-symbols-outlined" aria-hidden="true"></span><div class="bf-toast-text"></div>' +
      '<button type="button" data-close aria-label="Close">✕</button>';
    toast.querySelector("span").textContent = tone === "blocked" ? "error" : "info";
    toast.querySelector(".bf-toast-text").textContent = text;
    place.append(toast);
    watchToast(toast);
  };

  /* A slider over a percent says it while it is dragged. */
  document.addEventListener("input", (event) => {
    const slider = event.target.closest?.("input[type=range]");
    const text = slider && document.querySelector(`[data-shows="${slider.id}"]`);
    if (text) text.textContent = slider.value;
  });

  /* A slider over days names the day while it is dragged; what it finds comes when it is let go. */
  document.addEventListener("input", (event) => {
    const slider = event.target.closest?.("input[data-days-back]");
    const text = slider && document.querySelector(`[data-days-back-text="${slider.id}"]`);
    if (!text) return;
    const day = new Date();
    day.setDate(day.getDate() - Number(slider.value));
    text.textContent = slider.value === "0" ? "Now" : `End of ${day.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" })}`;
  });

  /* A lost connection: say so, keep the form as it is, and say when it is back. */
  const banner = (isLost) => {
    const element = document.getElementById("connection-lost");
    if (element) element.hidden = !isLost;
  };
  window.addEventListener("offline", () => banner(true));
  window.addEventListener("online", () => banner(false));
  document.addEventListener("htmx:sendError", () => { banner(true); release(document); });
  document.addEventListener("htmx:afterOnLoad", () => banner(false));
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    const words = {
      403: "You may not do this, or your session has ended. Reload the page and log in again; what you typed stays until then.",
      404: "This is no longer there. Reload the page.",
      429: "Too many requests. Wait a moment and try again.",
    };
    showToast(words[status] || "The server could not answer this. Nothing was saved; try again in a moment.", "blocked");
    release(document);
  });

  /* A submitted form is busy until its answer is there. The key in it makes a second click harmless anyway. */
  const release = (root) => {
    root.querySelectorAll("[aria-busy=true]").forEach((element) => element.removeAttribute("aria-busy"));
    root.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (form.dataset.sent) { event.preventDefault(); event.stopPropagation(); return; }
    form.dataset.sent = "1";
    (event.submitter || form.querySelector("[type=submit]"))?.setAttribute("aria-busy", "true");
    setTimeout(() => release(document), 10000);
  }, true);
  window.addEventListener("pageshow", () => release(document));
  document.addEventListener("htmx:afterRequest", () => release(document));

  /* Ask before something that cannot simply be taken back. */
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) { event.preventDefault(); event.stopImmediatePropagation(); release(document); }
  }, true);

  /* Fields that only matter for some answers of another one: data-asked-for="name=value value". */
  const askWhatMatters = (root) => root.querySelectorAll("[data-asked-for]").forEach((element) => {
    const [name, values] = element.dataset.askedFor.split("=");
    const field = element.closest("form")?.elements[name];
    if (field) element.hidden = !values.split(" ").includes(field.value);
  });
  document.addEventListener("change", (event) => { if (event.target.form) askWhatMatters(event.target.form); });
  document.addEventListener("htmx:load", (event) => askWhatMatters(event.target.parentElement || document));
  askWhatMatters(document);

  /* Tick every box of a name at once: data-tick-all="name", which needs the script and is hidden without it. */
  const tickTogether = (label) => {
    const name = label.dataset.tickAll, all = label.querySelector("input"), words = label.querySelector("span"), said = words.textContent;
    const boxes = () => [...document.querySelectorAll(`input[type=checkbox][name="${name}"]`)];
    const count = () => {
      const ticked = boxes().filter((box) => box.checked).length;
      all.checked = ticked > 0 && ticked === boxes().length;
      all.indeterminate = ticked > 0 && !all.checked;
      words.textContent = ticked ? `${ticked} ticked` : said;
    };
    all.addEventListener("change", () => { boxes().forEach((box) => { box.checked = all.checked; }); count(); });
    document.addEventListener("change", (event) => { if (event.target.name === name) count(); });
    window.addEventListener("pageshow", count);
    label.hidden = boxes().length === 0;
  };
  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-tick-all]").forEach(tickTogether));

  /* Tables: a row opens its page; j and k move, Enter opens, / goes to the search field. */
  const rows = () => [...document.querySelectorAll("tr[data-row], a.bf-list-row")].filter((row) => row.offsetParent !== null);
  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.hasAttribute("data-current"));
    const next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step))];
    all.forEach((row) => row.removeAttribute("data-current"));
    next.setAttribute("data-current", "");
    next.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-row]");
    if (!row || event.target.closest("a, button, input, select, label, summary, form")) return;
    if (window.getSelection()?.toString()) return;
    if (event.ctrlKey || event.metaKey) window.open(row.dataset.row, "_blank"); else window.location = row.dataset.row;
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); palette.open(); return; }
    if (event.key === "Escape") { palette.close(); drawer.close(); document.querySelectorAll("details.bf-menu[open]").forEach((menu) => menu.removeAttribute("open")); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(document.activeElement)) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "Enter") {
      const row = document.querySelector("[data-current]");
      if (row && document.activeElement === document.body) window.location = row.dataset.row || row.href;
    } else if (event.key === "/") {
      const field = document.querySelector("[data-search]");
      if (field) { event.preventDefault(); field.focus(); field.select(); } else { event.preventDefault(); palette.open(); }
    }
  });
  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.bf-menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.removeAttribute("open"); });
  });

  /* Drawer: a link with data-drawer opens its address in the panel on the right; Esc closes it. */
  const drawer = {
    open(url) {
      const place = document.getElementById("drawer");
      if (!place || !window.htmx) { window.location = url; return; }
      this.before = document.activeElement;
      htmx.ajax("GET", url, { target: "#drawer", swap: "innerHTML" }).then(() => {
        place.querySelector(".bf-drawer button, .bf-drawer a")?.focus();
      });
    },
    close() {
      const place = document.getElementById("drawer");
      if (place && place.children.length) { place.replaceChildren(); this.before?.focus?.(); }
    },
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-drawer]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) { event.preventDefault(); drawer.open(link.href); return; }
    if (event.target.closest("[data-drawer-close]")) { event.preventDefault(); drawer.close(); }
  });

  /* Search over everything. Enter opens the marked hit, or lets the server find the exact one (a scanner sends Enter). */
  const palette = {
    get root() { return document.getElementById("palette"); },
    open() {
      if (!this.root) return;
      this.before = document.activeElement;
      this.root.hidden = false;
      const field = this.root.querySelector("input");
      field.value = "";
      this.root.querySelector(".bf-palette-results").replaceChildren();
      field.focus();
    },
    close() { if (this.root && !this.root.hidden) { this.root.hidden = true; this.before?.focus?.(); } },
    move(step) {
      const hits = [...this.root.querySelectorAll(".bf-hit")];
      if (!hits.length) return;
      const at = hits.findIndex((hit) => hit.getAttribute("aria-selected") === "true");
      hits.forEach((hit) => hit.removeAttribute("aria-selected"));
      const next = hits[(at + step + hits.length) % hits.length] || hits[0];
      next.setAttribute("aria-selected", "true");
      next.scrollIntoView({ block: "nearest" });
    },
  };
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-open-search]")) { event.preventDefault(); palette.open(); }
    else if (event.target === palette.root) palette.close();
  });
  document.addEventListener("keydown", (event) => {
    if (!palette.root || palette.root.hidden || !palette.root.contains(event.target)) return;
    if (event.key === "ArrowDown") { event.preventDefault(); palette.move(1); }
    else if (event.key === "ArrowUp") { event.preventDefault(); palette.move(-1); }
    else if (event.key === "Enter") {
      const hit = palette.root.querySelector('.bf-hit[aria-selected="true"]');
      if (hit) { event.preventDefault(); window.location = hit.href; }
    }
  });

  /* A field that suggests items or places while one types. What is typed counts, also without choosing. */
  const suggestTimers = new WeakMap();
  const listOf = (field) => document.getElementById(field.getAttribute("aria-controls"));
  const hide = (field) => { const list = listOf(field); if (list) { list.hidden = true; field.setAttribute("aria-expanded", "false"); } };
  /* `settled` fires once for each new value: when it was chosen, scanned (Enter) or left. */
  const settle = (field) => {
    const text = field.value.trim();
    if (text === (field.dataset.settled || "")) return;
    field.dataset.settled = text;
    field.dispatchEvent(new CustomEvent("settled", { bubbles: true }));
  };
  const choose = (field, option) => {
    field.value = option.dataset.value;
    hide(field);
    settle(field);
  };
  const fetchSuggestions = async (field) => {
    const list = listOf(field);
    const text = field.value.trim();
    if (!list || text.length < 1 || text === field.dataset.settled) { hide(field); return; }
    const answer = await fetch(`${field.dataset.suggest}?q=${encodeURIComponent(text)}`, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (!answer || !answer.ok || document.activeElement !== field || field.value.trim() !== text) return;
    list.innerHTML = await answer.text();
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
  };
  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!field.matches?.("[data-suggest]")) return;
    clearTimeout(suggestTimers.get(field));
    suggestTimers.set(field, setTimeout(() => fetchSuggestions(field), 160));
  });
  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (!field.matches?.("[data-suggest]")) return;
    const list = listOf(field);
    const options = list && !list.hidden ? [...list.querySelectorAll("[role=option]")] : [];
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && options.length) {
      event.preventDefault();
      const next = options[(at + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length];
      options.forEach((option) => option.setAttribute("aria-selected", "false"));
      next.setAttribute("aria-selected", "true");
      next.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      clearTimeout(suggestTimers.get(field));
      if (at >= 0) { event.preventDefault(); choose(field, options[at]); }
      else if (field.value.trim() && field.dataset.settled !== field.value.trim() && field.dataset.nextOnEnter !== undefined) {
        event.preventDefault();
        hide(field);
        settle(field);
      }
    } else if (event.key === "Escape") hide(field);
  });
  document.addEventListener("mousedown", (event) => {
    const option = event.target.closest?.(".bf-suggestions [role=option]");
    if (!option) return;
    event.preventDefault();
    const field = document.querySelector(`[aria-controls="${option.closest(".bf-suggestions").id}"]`);
    if (field) choose(field, option);
  });
  document.addEventListener("focusout", (event) => {
    const field = event.target;
    if (!field.matches?.("[data-suggest]")) return;
    clearTimeout(suggestTimers.get(field));
    setTimeout(() => hide(field), 150);
    if (field.value.trim()) settle(field);
  });

  /* After a part was swapped in: put the cursor where it is wanted. */
  const focusWanted = (root) => {
    const wanted = root.querySelector?.("[data-focus]");
    const active = document.activeElement;
    const invalid = root.querySelector?.("[data-invalid] [data-focus]");
    if (invalid) { invalid.focus(); invalid.select?.(); return; }
    if (wanted && (!active || active === document.body || (active.matches("[data-suggest]") && root.contains(active)))) {
      wanted.focus();
      wanted.select?.();
    }
  };
  document.addEventListener("htmx:afterSettle", (event) => { focusWanted(event.detail.elt); fitTables(); });

  /* A table scrolls sideways only when it must: otherwise its head could not stay in view. */
  const fitTables = () => {
    document.querySelectorAll(".bf-table-wrap").forEach((wrap) => {
      wrap.classList.remove("bf-scrolls");
      wrap.classList.toggle("bf-scrolls", wrap.scrollWidth > wrap.clientWidth + 1);
    });
  };
  window.addEventListener("resize", fitTables);
  window.addEventListener("load", fitTables);

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".bf-toast").forEach(watchToast);
    focusWanted(document);
    fitTables();
    if (!navigator.onLine) banner(true);
  });
})();
