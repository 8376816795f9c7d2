/* Inspecting on a tablet: each measurement is judged as it is typed, and what is left to decide is counted. */
(() => {
  const figure = (text) => {
    const plain = text.trim().replace(/[\u202f\u00a0 ]/g, "").replace(/^(\d{1,3})(,\d{3})+(\.\d+)?$/, (all) => all.replace(/,/g, "")).replace(",", ".");
    return /^-?(\d{1,12}(\.\d{0,6})?|\.\d{1,6})$/.test(plain) ? Number(plain) : null;
  };
  const shown = (number) => String(Math.round(number * 1e6) / 1e6);

  function judge(field) {
    const verdict = field.parentElement.querySelector("[data-verdict]");
    if (!verdict) return;
    const value = figure(field.value);
    verdict.hidden = value === null;
    if (value === null) return;
    const low = field.dataset.minimum, high = field.dataset.maximum;
    const passes = (low === undefined || value >= Number(low)) && (high === undefined || value <= Number(high));
    verdict.textContent = passes ? "Passes" : value < Number(low) ? "Too low" : "Too high";
    verdict.dataset.tone = passes ? "good" : "blocked";
  }

  function count(form) {
    const held = Number(form.dataset.held), unit = form.dataset.unit;
    let sum = 0, failed = 0, unread = false;
    for (const field of form.querySelectorAll("[data-part]")) {
      const typed = field.value.trim() !== "", value = figure(field.value);
      unread ||= typed && value === null;
      sum += value ?? 0;
      if (field.name !== "release") failed += value ?? 0;
      field.closest(".qc-part").querySelector(".qc-reason")?.toggleAttribute("hidden", !typed || value === 0);
    }
    const left = held - sum, words = form.querySelector("[data-left]");
    words.textContent = Math.abs(left) < 1e-7 ? "" : left > 0 ? `${shown(left)} ${unit} stay on hold.` : `${shown(-left)} ${unit} more than are held.`;
    if (unread) words.textContent = "What is left is counted when each quantity is a number, such as 12.5.";
    words.className = unread || left < -1e-7 ? "bf-tone-blocked" : "bf-muted";
    const good = sum - failed;
    const parts = [good ? `release ${shown(good)}` : "", failed ? `fail ${shown(failed)}` : ""].filter(Boolean).join(", ");
    form.querySelector("[data-decide] span:last-child").textContent = parts && !unread ? parts[0].toUpperCase() + parts.slice(1) : "Decide";
  }

  /* What fails is taken off what passes, until somebody says how many pass. */
  function rest(form) {
    const release = form.querySelector('[data-part][name="release"]');
    if (!release || release.dataset.typed) return;
    const failed = [...form.querySelectorAll("[data-part]")].reduce((sum, field) => sum + (field === release ? 0 : figure(field.value) ?? 0), 0);
    const left = Number(form.dataset.held) - failed;
    release.value = left > 1e-7 ? shown(left) : "";
  }

  function all(form, name) {
    for (const field of form.querySelectorAll("[data-part]")) field.value = field.name === name ? shown(Number(form.dataset.held)) : "";
    count(form);
  }

  function begin() {
    for (const form of document.querySelectorAll(".qc-form")) {
      form.querySelectorAll("[data-minimum], [data-maximum]").forEach(judge);
      form.querySelectorAll("[data-all]").forEach((button) => { button.hidden = false; });
      form.querySelectorAll("[data-attach-now]").forEach((button) => { button.hidden = true; });
      count(form);
    }
  }

  document.addEventListener("input", (event) => {
    const form = event.target.closest(".qc-form");
    if (!form) return;
    judge(event.target);
    if (!event.target.matches("[data-part]")) return;
    if (event.target.name === "release") event.target.dataset.typed = "1";
    else rest(form);
    count(form);
  });
  document.addEventListener("click", (event) => {
    const name = event.target.closest("[data-all]")?.dataset.all;
    if (name) all(event.target.closest(".qc-form"), name);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-attach]") && event.target.files.length) {
      event.target.form.querySelector("[data-attach-now]").click();
    }
  });
  document.addEventListener("htmx:load", begin);
  begin();
})();
