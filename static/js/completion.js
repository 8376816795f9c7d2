/* Recording completions: the live preview, Enter from field to field, and scans that land in the wrong field.
   Without this file the page works as a plain form with a preview button. */
(() => {
  "use strict";

  const DELAY = 250;
  const form = () => document.getElementById("completion-form");
  const whatField = () => document.getElementById("what");
  let timer = 0;

  /* Preview while one types. An answer to older figures is dropped: a newer one is on its way. */
  const schedule = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = 0;
      const preview = document.getElementById("completion-preview");
      if (preview && window.htmx && !form()?.dataset.sent) htmx.trigger(preview, "preview");
    }, DELAY);
  };

  const label = () => {
    const button = document.getElementById("complete-button");
    const good = document.getElementById("completion-good")?.value.trim();
    const scrapped = document.getElementById("completion-scrapped")?.value.trim();
    if (!button) return;
    const words = good && scrapped ? `Complete ${good}, scrap ${scrapped}` : scrapped ? `Scrap ${scrapped}` : `Complete ${good}`.trim();
    button.lastChild.textContent = ` ${words}`;
  };

  document.addEventListener("input", (event) => {
    if (!form()?.contains(event.target) || event.target.matches("[data-adds]")) return;
    label();
    schedule();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target?.id === "completion-preview" && timer) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target?.id === "completion") { clearTimeout(timer); timer = 0; }
  });

  /* After a swap the cursor goes where the next key belongs. */
  const focus = (element) => { if (element) { element.focus(); element.select?.(); } };
  document.addEventListener("htmx:afterSettle", (event) => {
    const target = event.detail.target;
    const cause = event.detail.requestConfig?.elt;
    if (target?.id === "completion") {
      if (form() && whatField()) {
        whatField().value = form().elements.what.value;
        whatField().dataset.settled = whatField().value;
      }
      if (cause?.name === "fill") focus(document.getElementById("complete-button"));
      else if (event.detail.xhr?.status === 422 && form()) {
        const invalid = form().querySelector(".make-what .bf-field-error")?.closest(".bf-field")?.querySelector("input, select");
        const problems = form().querySelector("[data-problems]");
        const needed = form().querySelector('.make-why[aria-invalid="true"], .make-actual [aria-invalid="true"], .make-reason:not([hidden]) input');
        focus(invalid || needed || problems);
        (invalid || problems)?.scrollIntoView({ block: "nearest" });
      } else if (form()) focus(document.getElementById("completion-good"));
      else if (target.querySelector("[data-focus]")) focus(target.querySelector("[data-focus]"));
      else focus(whatField());
    } else if (target?.id === "completion-preview" && cause?.name === "choose") {
      focus(document.querySelector(`[name^="lot-${cause.value}-"]`));
    } else if (target?.id === "completion-preview" && cause?.name === "add_component") {
      const rows = [...document.querySelectorAll(".make-line [data-actual]")];
      focus(document.getElementById("add-component")?.value ? document.getElementById("add-component") : rows[rows.length - 1]);
    }
  });

  /* Enter goes from one actual to the next, and from the last to the button; in Good it posts. */
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !form()?.contains(event.target)) return;
    if (event.target.matches("[data-actual], .make-why")) {
      event.preventDefault();
      const fields = [...form().querySelectorAll("[data-actual], .make-why")];
      focus(fields[fields.indexOf(event.target) + 1] || document.getElementById("complete-button"));
    } else if (event.target.matches("[data-adds]")) {
      event.preventDefault();
      if (event.target.value.trim()) form().querySelector('[name="add_component"]')?.click();
      else focus(document.getElementById("complete-button"));
    }
  }, true);

  /* What was looked up is settled: leaving the field must not look it up again. */
  document.addEventListener("submit", (event) => {
    if (event.target.id === "scan-form") whatField().dataset.settled = whatField().value.trim();
  }, true);

  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.(".make-form .bf-field-number")) event.target.select();
  });

  /* A scanner types faster than anybody and ends with Enter. When its code lands in a figure, the figure is put back and the
     code is looked up, as if it had been scanned into the field above. */
  const burst = { field: null, before: "", keys: "", last: 0 };
  const KEY_GAP = 50; /* milliseconds */
  const CODE_MIN = 6;
  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (!field.matches?.(".make-form .bf-field-number") || event.ctrlKey || event.metaKey || event.altKey) return;
    const now = event.timeStamp;
    if (event.key === "Enter") {
      const isScan = burst.field === field && burst.keys.length >= CODE_MIN && now - burst.last <= KEY_GAP;
      const code = burst.keys;
      burst.keys = "";
      if (!isScan) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      field.value = burst.before;
      clearTimeout(timer);
      timer = 0;
      whatField().value = code;
      document.getElementById("scan-form").requestSubmit();
      return;
    }
    if (event.key.length !== 1) return;
    if (burst.field !== field || now - burst.last > KEY_GAP) Object.assign(burst, { field, before: field.value, keys: "" });
    burst.keys += event.key;
    burst.last = now;
  }, true);
})();
