/* Pages of mailings: what a page that the server draws can't do by itself. Texts live in the templates. */
(() => {
  "use strict";

  const on = (type, listener, capture) => document.addEventListener(type, listener, capture);

  /* A change that waited for the one before it was made from the version that one has given. */
  on("htmx:before:request", ({ detail: { ctx } }) => {
    const fresh = ctx.sourceElement?.id === "draft" && ctx.sourceElement.querySelector("[data-fresh]");
    if (fresh) ctx.request.body.set(fresh.name, fresh.value);
  });

  /* Looking for a segment changes nothing of the draft. */
  on("change", (event) => {
    if (event.target.matches?.("[data-list]")) event.stopPropagation();
  }, true);

  /* Arrows go from the search through what it found; Enter takes the first. */
  on("keydown", (event) => {
    const search = event.target.closest?.("[data-list]");
    const list = search ? document.getElementById(search.dataset.list) : event.target.closest?.(".audiences");
    if (!list) return;
    const rows = [...list.querySelectorAll("button")];
    const now = rows.indexOf(event.target);
    const input = document.querySelector(`[data-list="${CSS.escape(list.id)}"]`);
    if (event.key === "ArrowDown") rows[Math.min(now + 1, rows.length - 1)]?.focus();
    else if (event.key === "ArrowUp" && !search) (rows[now - 1] ?? input).focus();
    else if (event.key === "Enter" && search) rows[0]?.click();
    else return;
    event.preventDefault();
  });

  /* What the question before the start says is read first. */
  on("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx.target?.id === "launch") ctx.target.querySelector("[data-first]")?.focus();
  });

  /* Rows a file was refused for are given back as a file. */
  on("click", ({ target }) => {
    const button = target.closest?.("[data-gives]");
    if (!button) return;
    const link = document.createElement("a");
    const text = document.getElementById(button.dataset.gives).value;
    link.href = URL.createObjectURL(new Blob([`\ufeff${text}`], { type: "text/csv" }));
    link.download = button.dataset.named;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });
})();
