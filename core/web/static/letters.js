/* The letter editor: what a page that the server draws can't do by itself. Undo and redo, a name put in where
   one types, counters, the keyboard, whom the letter is shown for. Texts live in the templates. */
(() => {
  "use strict";

  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (type, listener, capture) => document.addEventListener(type, listener, capture);
  const byId = (id) => document.getElementById(id);

  let form = null;
  let drafts = [];
  let place = 0;
  let acted = "";
  let typed = null;
  let [awaited, steps] = [false, 0];
  const edited = new Set();

  /* ── History: drafts as JSON ───────────────────────────────────────────────────────────── */
  function meet() {
    const found = byId("letter-editor");
    if (found === form) return;
    form = found;
    if (!form) return;
    drafts = [byId("letter-draft").value];
    place = steps = 0;
    awaited = false;
    typed = null;
    count();
  }

  function remember() {
    const draft = byId("letter-draft").value;
    if (draft !== drafts[place]) drafts = [...drafts.slice(0, ++place), draft];
    for (const button of all("[data-history]")) button.disabled = drafts[place + Number(button.dataset.history)] === undefined;
  }

  /* The last change is known when its answer has come: until then a step waits. */
  function travel(step) {
    if (awaited) return void (steps += step);
    if (!form?.isConnected || drafts[place + step] === undefined) return;
    place += step;
    byId("letter-draft").value = drafts[place];
    form.requestSubmit(byId("letter-replace"));
  }

  /* ── Requests ──────────────────────────────────────────────────────────────────────────── */
  /* One goes out at a time; what waited is made from what the one before it has brought. */
  on("htmx:before:request", ({ detail: { ctx } }) => {
    if (!form || ctx.sourceElement !== form) return;
    const { body } = ctx.request;
    awaited = true;
    acted = body.get("action") ?? "";
    for (const name of new Set([...body.keys()])) body.delete(name);
    for (const [name, value] of new FormData(form)) body.append(name, value);
    body.set("action", acted);
    edited.clear();
  });

  on("htmx:finally:request", ({ detail: { ctx } }) => {
    if (ctx.sourceElement !== form) return;
    awaited = false;
    setTimeout(() => {
      const asked = steps;
      steps = 0;
      if (asked) travel(asked);
    });
  });

  /* What is typed while an answer is on its way is not overwritten by it. */
  on("input", ({ target }) => {
    if (!target.matches?.(".edits") || !form?.contains(target)) return;
    edited.add(target.id);
    count();
  });

  on("htmx:after:swap", ({ detail: { ctx } }) => {
    meet();
    if (!form || ctx.target?.id !== "letter-body") return;
    settle();
    remember();
    count();
    if (acted) look();
    acted = "";
  });

  /* Morphing leaves alone what somebody has touched; the answer is what counts. */
  function settle() {
    for (const field of all(".edits", form)) {
      if (edited.has(field.id) || (field === document.activeElement && field.matches("textarea, input:not([type=radio])"))) continue;
      if (field.type === "radio") field.checked = field.defaultChecked;
      else if (field.tagName === "SELECT") for (const option of field.options) option.selected = option.defaultSelected;
      else if (field.value !== field.defaultValue) field.value = field.defaultValue;
    }
    const draft = byId("letter-draft");
    draft.value = draft.defaultValue;
    for (const hidden of all("input[type=hidden]", form)) hidden.value = hidden.defaultValue;
  }

  function look() {
    const block = one("[data-focus]", form);
    if (!block) return;
    const [name] = acted.split(" ");
    const again = /^(up|down)$/.test(name) && one(`button[value="${name} ${CSS.escape(block.dataset.place)}"]:not(:disabled)`, block);
    (again || one(".edits", block) || one("button", block))?.focus();
    block.scrollIntoView({ block: "nearest" });
  }

  function count() {
    for (const field of all("[data-counted]", form)) {
      const shown = one(".count", field.parentElement);
      const name = "x".repeat(Number(field.dataset.nameLength)); // as mailings.web.words.letter.length counts it
      const { length } = [...field.value.replace(/\{%.*?%\}/g, "").replace(/\{\{.*?\}\}/g, name)];
      shown.value = `${length} / ${field.dataset.counted}`;
      shown.classList.toggle("over", length > Number(field.dataset.counted));
    }
  }

  /* ── Names, whom it is shown for ───────────────────────────────────────────────────────── */
  on("focusin", ({ target }) => {
    if (target.matches?.("#letter-editor textarea.edits, #letter-editor input.edits:not([type=radio], [type=color])")) typed = target.id;
  });

  on("click", (event) => {
    const button = event.target.closest?.("[data-inserts], [data-fills], [data-person], [data-history], [data-leads]");
    if (!button || !form?.isConnected) return;
    const { inserts, fills, person, history, leads } = button.dataset;
    if (leads) {
      event.preventDefault();
      return byId(leads)?.focus();
    }
    if (history) return travel(Number(history));
    if (person) {
      one("[name=person]", form).value = person;
      byId("letter-people").replaceChildren();
      return form.requestSubmit();
    }
    const field = byId(fills ?? typed ?? "") ?? byId("subject");
    const [start, end] = fills ? [0, field.value.length] : [field.selectionStart, field.selectionEnd];
    one(":popover-open")?.hidePopover();
    field.focus();
    field.setRangeText(inserts ?? button.dataset.with, start, end, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });

  /* ── Pictures: chosen for a field, uploaded by a form of their own, their address put into it ── */
  on("click", (event) => {
    const button = event.target.closest?.("[data-uploads]");
    if (!button || !form?.isConnected) return;
    const uploads = byId("picture-form");
    uploads.elements.field.value = button.dataset.uploads;
    uploads.elements.file.value = "";
    uploads.elements.file.click();
  });

  on("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx.target?.id !== "picture-said") return;
    const put = one("[data-picture]", ctx.target);
    const field = byId(byId("picture-form").elements.field.value);
    field?.closest(".block-field, .field")?.append(...ctx.target.children);
    if (!put || !field) return;
    const whole = field.id !== "source";
    field.setRangeText(put.dataset.picture, whole ? 0 : field.selectionStart, whole ? field.value.length : field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    (byId(field.id.replace(/\|src$/, "|alt")) ?? field).focus();
  });

  /* ── Keyboard ──────────────────────────────────────────────────────────────────────────── */
  const DOINGS = { ArrowUp: "up", ArrowDown: "down", KeyC: "copy", Delete: "remove", Backspace: "remove" };

  on("keydown", (event) => {
    if (!form?.isConnected || event.target.closest?.("dialog")) return;
    const types = event.target.matches("textarea, input:not([type=radio])");
    if ((event.ctrlKey || event.metaKey) && event.code === "KeyZ" && !types) {
      event.preventDefault();
      return travel(event.shiftKey ? 1 : -1);
    }
    const here = event.altKey && event.target.closest(".letter-block");
    const doing = here && DOINGS[event.code];
    const button = doing && one(`button[value="${doing} ${CSS.escape(here.dataset.place)}"]`, here);
    if (!button) return;
    event.preventDefault();
    button.click();
  });

  meet();
})();
