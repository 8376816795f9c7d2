/* Print buttons, and ticking rows of a pick list by scanning. */
(() => {
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
    const all = event.target.closest("[data-checkoff-all]");
    if (all) all.closest("form").querySelectorAll("input[name=row]").forEach((box) => tick(box, true));
  });

  const tick = (box, isTicked) => {
    box.checked = isTicked;
    box.closest("tr").classList.toggle("order-ticked", isTicked);
  };

  const setUp = (form) => {
    const scan = form.querySelector("[data-checkoff-scan]");
    const said = form.querySelector("[data-checkoff-said]");
    const boxes = [...form.querySelectorAll("input[name=row]")];
    const say = (words) => {
      if (!said) return;
      const left = boxes.filter((box) => !box.checked).length;
      said.textContent = `${words}${words ? " · " : ""}${left ? `${left} left` : "all fetched"}`;
    };
    let place = "";
    boxes.forEach((box) => { tick(box, box.checked); box.addEventListener("change", () => { tick(box, box.checked); say(""); }); });
    if (!scan) return;
    scan.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      const code = scan.value.trim().toLowerCase().replace(/ /g, "\u00a0");
      scan.value = "";
      if (!code) return;
      const rows = boxes.map((box) => box.closest("tr"));
      if (rows.some((row) => row.dataset.place === code)) { place = code; say(`At ${code.toUpperCase()}`); return; }
      const fitting = boxes.filter((box) => box.closest("tr").dataset.codes.split(" ").includes(code));
      const here = fitting.filter((box) => !place || box.closest("tr").dataset.place === place);
      const next = (here.length ? here : fitting).find((box) => !box.checked);
      if (!fitting.length) { say(`${code.toUpperCase()} is not on this list`); scan.setAttribute("aria-invalid", "true"); return; }
      scan.removeAttribute("aria-invalid");
      if (!next) { say(`${code.toUpperCase()} is fetched already`); return; }
      tick(next, true);
      next.closest("tr").scrollIntoView({ block: "nearest" });
      say(`${code.toUpperCase()} fetched`);
    });
  };
  document.querySelectorAll("[data-checkoff]").forEach(setUp);
  document.addEventListener("htmx:afterSwap", (event) => event.target.querySelectorAll("[data-checkoff]").forEach(setUp));
})();
