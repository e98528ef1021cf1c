/* Opens what htmx loads into the dialog, keeps open what was open, says when the console is gone, keeps the theme. */
"use strict";
(() => {
  const dialog = document.getElementById("dialog");

  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== dialog) return;
    if (dialog.innerHTML.trim() === "") { dialog.close(); return; }
    if (!dialog.open) dialog.showModal();
    const first = dialog.querySelector("[autofocus]");
    if (first) first.focus();
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

  /* The cards are swapped whole; what a person had opened stays open. */
  const opened = new Set();
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "cards") return;
    opened.clear();
    event.detail.target.querySelectorAll("details[open]").forEach((one) => opened.add(one.id));
  });
  document.body.addEventListener("htmx:afterSwap", () => {
    opened.forEach((id) => {
      const one = document.getElementById(id);
      if (one) one.open = true;
    });
    opened.clear();
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
