/* The segment builder: what a page that the server draws can't do by itself. Lists that open and are
   searched, undo and redo, the keyboard, leaving with unsaved changes. Texts live in the templates. */
(() => {
  "use strict";

  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (type, listener, capture) => document.addEventListener(type, listener, capture);
  const byId = (id) => document.getElementById(id);
  const builder = () => byId("builder");

  /* ── History: drafts as JSON, for the builder that is open now ─────────────────────────── */
  let form = null;
  let drafts = [];
  let place = 0;
  let saved = "";
  let acted = "";

  const state = () => `${one("#segment-name").value}\n${byId("draft").value}`;
  const unsaved = () => Boolean(form?.isConnected) && state() !== saved;

  function meet() {
    const found = builder();
    if (found === form) return;
    form = found;
    if (!form) return;
    drafts = [byId("draft").value];
    place = 0;
    saved = state();
  }

  function remember() {
    const draft = byId("draft").value;
    if (draft !== drafts[place]) drafts = [...drafts.slice(0, ++place), draft];
    for (const button of all("[data-history]", form)) {
      button.disabled = drafts[place + Number(button.dataset.history)] === undefined;
    }
  }

  function travel(step) {
    if (drafts[place + step] === undefined) return;
    place += step;
    byId("draft").value = drafts[place];
    form.requestSubmit(byId("builder-replace"));
  }

  /* ── Requests ──────────────────────────────────────────────────────────────────────────── */
  on("htmx:config:request", ({ detail: { ctx } }) => {
    if (!form?.isConnected) return;
    if (ctx.sourceElement === form) acted = ctx.request.submitter?.value ?? "";
    const leaves = ctx.target?.id === "page" && !("saves" in ctx.sourceElement.dataset);
    if (!leaves || !unsaved()) return;
    ctx.confirm = form.dataset.leave;
    ctx.sourceElement.dataset.confirmText = form.dataset.leaveText;
  });

  window.addEventListener("beforeunload", (event) => {
    if (unsaved()) event.preventDefault();
  });

  /* An answer made before the latest change must not overwrite it. */
  on("input", ({ target }) => {
    if (target.closest("#builder-body") && !target.closest(".lookup-slot")) window.htmx.trigger(form, "htmx:abort");
  });

  on("htmx:after:swap", ({ detail: { ctx } }) => {
    meet();
    if (ctx.target?.matches?.(".lookup-slot")) return opened(ctx.target);
    if (!form || ctx.target?.id !== "builder-body") return;
    settle();
    remember();
    if (acted) look();
    acted = "";
  });

  /* Morphing leaves alone what somebody has touched; the answer is what counts. */
  function settle() {
    for (const field of all("input, select, textarea", byId("builder-body"))) {
      if ((field === document.activeElement && types(field)) || field.closest(".lookup-slot")) continue;
      if (field.type === "checkbox") field.checked = field.defaultChecked;
      else if (field.tagName === "SELECT") for (const option of field.options) option.selected = option.defaultSelected;
      else if (field.value !== field.defaultValue) field.value = field.defaultValue;
    }
  }

  const FIRST = ["[name$='|value']:not([type=hidden])", "[name$='|n']", "[name$='|from']", "[data-opens^=values]", "[name$='|measure']", "select"];

  function look() {
    closeAll();
    const lost = document.activeElement === document.body;
    const node = one("[data-focus]", form) ?? (lost ? one("[data-adds]", form) : null);
    if (!node || (!lost && /^(mode|side) /.test(acted))) return;
    const line = acted.startsWith("add") && one(".rule-line", node);
    const input = line && FIRST.map((each) => one(each, line)).find(Boolean);
    (input || node).focus();
  }

  /* ── Lists that open under a button ────────────────────────────────────────────────────── */
  const slotOf = (button) => byId(button.dataset.opens);
  const openerOf = (slot) => one(`[data-opens="${CSS.escape(slot.id)}"]`);

  function opened(slot) {
    openerOf(slot)?.setAttribute("aria-expanded", "true");
    one("input[type=search]", slot)?.focus();
  }

  function close(slot) {
    slot.replaceChildren();
    openerOf(slot)?.setAttribute("aria-expanded", "false");
  }

  function closeAll() {
    all(".lookup-slot:not(:empty)", form).forEach(close);
  }

  on("click", (event) => {
    const button = event.target.closest?.("[data-opens]");
    if (!button) return;
    const slot = slotOf(button);
    const shown = slot.childElementCount > 0;
    closeAll();
    if (shown) event.stopPropagation();
  }, true);

  on("submit", () => all(":popover-open").forEach((each) => each.hidePopover()), true);

  on("input", ({ target }) => {
    if (target.matches?.("[data-filter]")) filter(target);
  });

  on("change", (event) => {
    if (event.target.matches?.("[data-filter], [data-search], #pasted")) event.stopPropagation();
  }, true);

  function filter(input) {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const box = input.closest(".lookup-box");
    let found = 0;
    for (const shelf of all(".shelf", box)) {
      const rows = all(".menu-row", shelf);
      for (const row of rows) row.hidden = !words.every((word) => row.dataset.words.includes(word));
      shelf.hidden = rows.every((row) => row.hidden);
      found += rows.filter((row) => !row.hidden).length;
    }
    one(".nothing", box).hidden = found > 0;
  }

  /* ── Keyboard ──────────────────────────────────────────────────────────────────────────── */
  const DOINGS = { ArrowUp: "up", ArrowDown: "down", KeyC: "duplicate", KeyG: "wrap", KeyU: "unwrap", Delete: "remove", Backspace: "remove" };
  const types = (target) => target.matches("textarea, input:not([type=checkbox]):not([type=radio])");

  on("keydown", (event) => {
    if (!form?.isConnected || event.target.closest?.("dialog")) return;
    const { target, code } = event;
    const box = target.closest(".lookup-box");
    if (box && inList(event, box)) return;
    if (event.ctrlKey || event.metaKey) {
      if (code === "Enter") press(byId("save"), event);
      else if (code === "KeyZ" && !types(target)) press(one(`[data-history="${event.shiftKey ? 1 : -1}"]`), event);
      else if (code === "KeyY" && !types(target)) press(one('[data-history="1"]'), event);
      return;
    }
    if (!event.altKey) return;
    const here = target.closest("[data-place]");
    const side = target.closest(".pane") ?? one(".pane:has([data-adds])");
    if (code === "KeyN") return press(all("[data-adds]", target.closest(".group") ?? side).at(-1), event);
    const doing = here && DOINGS[code];
    if (!doing) return;
    press(one(`button[value="${doing} ${CSS.escape(here.dataset.place)}"]`), event);
  });

  function press(button, event) {
    if (!button) return;
    event.preventDefault();
    button.click();
  }

  /* Arrows go through the list, Enter takes the first that fits, Esc closes. */
  function inList(event, box) {
    const rows = all(".menu-row:not([hidden])", box).filter((row) => !row.closest("[hidden]"));
    const controls = rows.map((row) => one("input[type=checkbox]", row) ?? row);
    const now = controls.indexOf(document.activeElement);
    if (event.key === "Escape") {
      const slot = box.parentElement;
      const opener = openerOf(slot);
      close(slot);
      opener?.focus();
    } else if (event.key === "ArrowDown") controls[Math.min(now + 1, controls.length - 1)]?.focus();
    else if (event.key === "ArrowUp") (now > 0 ? controls[now - 1] : one("input[type=search]", box)).focus();
    else if (event.key === "Enter" && now < 0) controls[0]?.click();
    else if (event.key === "Enter" && controls[now].type === "checkbox") controls[now].click();
    else return false;
    event.preventDefault();
    return true;
  }

  /* ── Buttons ───────────────────────────────────────────────────────────────────────────── */
  on("click", ({ target }) => {
    const button = target.closest?.("[data-history], [data-copies]");
    if (!button) return;
    if (button.dataset.history) return travel(Number(button.dataset.history));
    const area = byId(button.dataset.copies);
    if (button.dataset.from) area.value = JSON.stringify(JSON.parse(byId(button.dataset.from).value), null, 1);
    area.select();
    navigator.clipboard?.writeText(area.value).then(() => told(button)).catch(() => {});
  });

  function told({ dataset, lastElementChild }) {
    if (dataset.copied) lastElementChild.textContent = dataset.copied;
  }

  /* A file that only a signed-in page may ask for: htmx fetches it, here it becomes a download. */
  on("htmx:before:response", ({ detail: { ctx } }) => {
    const { downloads } = ctx.sourceElement?.dataset ?? {};
    if (downloads && ctx.response.raw.ok) save(ctx.response.raw.clone(), downloads);
  });

  async function save(response, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  meet();
})();
