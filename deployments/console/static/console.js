/* Opens what htmx loads into the dialog, keeps a person's place when cards are redrawn, says when the console is gone,
   keeps the theme. */
"use strict";
(() => {
  const dialog = document.getElementById("dialog");

  const focusById = (id) => {
    const found = id && document.getElementById(id);
    if (found) found.focus({ preventScroll: true });
  };
  const focusIsNowhere = () => document.activeElement === null || document.activeElement === document.body;

  /* htmx is told (base.html) to end a swap at once: by default it binds new switches and focuses [autofocus] 20 ms
     later, when a fast hand has pressed one that is not bound yet, or types in the next field already. */
  let asker = "";
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== dialog) return;
    if (dialog.innerHTML.trim() === "") { dialog.close(); return; }
    if (!dialog.open) {
      asker = event.detail.requestConfig.elt.id;
      dialog.showModal();
    }
    const first = dialog.querySelector("[autofocus]");
    if (first) first.focus();
  });
  /* The browser goes back to the switch that opened the dialog, unless that has been redrawn meanwhile. */
  dialog.addEventListener("close", () => {
    if (focusIsNowhere() || dialog.contains(document.activeElement)) focusById(asker);
  });

  /* A refusal (409, 422, 403) carries a page to show; htmx by default would drop it. */
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status >= 400 && event.detail.xhr.getResponseHeader("X-Serai-Fragment")) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });

  const lost = document.getElementById("lost");
  document.body.addEventListener("htmx:sendError", () => { lost.hidden = false; });
  document.body.addEventListener("htmx:afterOnLoad", () => { lost.hidden = true; });

  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) {
      event.preventDefault();
      dialog.close();
    }
  });

  /* The cards are swapped whole; what a person had opened stays open, and the keyboard where it was. Between pressing
     and releasing the mouse nothing is swapped, or the click would be lost; the next refresh brings it. */
  let pressed = false;
  document.addEventListener("pointerdown", () => { pressed = true; });
  for (const end of ["pointerup", "pointercancel", "dragend"])
    document.addEventListener(end, () => { setTimeout(() => { pressed = false; }); });

  const opened = new Set();
  let focused = "";
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "cards") return;
    if (pressed) { event.detail.shouldSwap = false; return; }
    opened.clear();
    event.detail.target.querySelectorAll("details[open]").forEach((one) => opened.add(one.id));
    focused = document.activeElement ? document.activeElement.id : "";
  });
  document.body.addEventListener("htmx:afterSwap", () => {
    opened.forEach((id) => {
      const one = document.getElementById(id);
      if (one) one.open = true;
    });
    opened.clear();
    if (focusIsNowhere()) focusById(focused);
    focused = "";
  });

  const root = document.documentElement;
  const button = document.getElementById("theme");
  button.hidden = false;
  button.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
                                    : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
})();
