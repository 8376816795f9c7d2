/* The BOM editor: lines are dragged by their handle, or moved with Alt and an arrow. The arrows on the page do the same without this. */
(() => {
  "use strict";
  let dragged = null;

  const renumber = (list) => {
    list.querySelectorAll(":scope > [data-entry] > [data-position]").forEach((field, place) => { field.value = place; });
    list.closest("form")?.dispatchEvent(new Event("change", { bubbles: true }));
  };

  document.addEventListener("dragstart", (event) => {
    const handle = event.target.closest?.("[data-handle]");
    if (!handle) return;
    dragged = handle.closest("[data-entry]");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", "");
    event.dataTransfer.setDragImage(dragged, 12, 12);
    dragged.classList.add("bom-dragged");
  });
  document.addEventListener("dragover", (event) => {
    const entry = dragged && event.target.closest?.("[data-entry]");
    if (!entry || entry === dragged || entry.parentNode !== dragged.parentNode) return;
    event.preventDefault();
    const box = entry.getBoundingClientRect();
    const isBlank = !entry.querySelector("[data-handle]");
    if (isBlank || event.clientY < box.top + box.height / 2) entry.before(dragged); else entry.after(dragged);
  });
  document.addEventListener("drop", (event) => { if (dragged) event.preventDefault(); });
  document.addEventListener("dragend", () => {
    if (!dragged) return;
    dragged.classList.remove("bom-dragged");
    renumber(dragged.parentNode);
    dragged = null;
  });

  document.addEventListener("keydown", (event) => {
    if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
    const entry = event.target.closest?.("[data-entry]");
    if (!entry || !entry.querySelector("[data-handle]")) return;
    const other = event.key === "ArrowUp" ? entry.previousElementSibling : entry.nextElementSibling;
    if (!other?.matches("[data-entry]") || !other.querySelector("[data-handle]")) return;
    event.preventDefault();
    const field = document.activeElement;
    if (event.key === "ArrowUp") other.before(entry); else other.after(entry);
    field.focus();
    renumber(entry.parentNode);
  });

  /* What was opened stays open when the lines are shown anew. */
  document.addEventListener("toggle", (event) => {
    const details = event.target;
    window.dispatchEvent(new Event("resize"));  // a table that was hidden is fitted now
    const field = details.matches?.("[data-remembers]") && details.querySelector("input[type=hidden]");
    if (field) field.value = details.open ? "1" : "";
  }, true);

  /* Leaving with something typed and not saved: the browser asks. */
  let isTouched = false;
  document.addEventListener("input", (event) => { if (event.target.closest?.("[data-bom-editor]")) isTouched = true; });
  document.addEventListener("submit", (event) => {
    const names = ["save", "and_close", "over"];
    if (names.includes(event.submitter?.name) || !event.target.matches("[data-bom-editor]")) isTouched = false;
  }, true);
  document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.xhr?.status === 422) isTouched = true; });
  window.addEventListener("beforeunload", (event) => { if (isTouched) event.preventDefault(); });
})();
