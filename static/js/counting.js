/* The number pad of the count page: it types into the figure, so that no keyboard covers the tablet. */
(() => {
  const show = () => document.querySelectorAll(".bf-pad[hidden]").forEach((pad) => { pad.hidden = false; });
  document.addEventListener("click", (event) => {
    const key = event.target.closest("[data-pad]")?.dataset.pad;
    const field = document.querySelector("[data-pad-field]");
    if (!key || !field) return;
    if (field.value && field.selectionEnd - field.selectionStart === field.value.length) field.value = "";
    if (key === "back") field.value = field.value.slice(0, -1);
    else if (key !== "." || !field.value.includes(".")) field.value += key;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  document.addEventListener("htmx:load", show);
  show();
})();
