/* Behaviour shared by every page. Texts live in the templates; this file holds none. */
(() => {
  "use strict";

  const { Frame } = window;
  const one = (selector, root = document) => root.querySelector(selector);
  const on = (type, listener, capture) => document.addEventListener(type, listener, capture);

  /* ── Session: the token lives in this closure only ─────────────────────────────────────── */
  const meta = one('meta[name="session"]');
  let token = meta?.content ?? "";
  meta?.remove();
  let over = false;
  let proof = null;

  async function sessionFetch(url, options) {
    const attempt = () => {
      const headers = { ...options.headers, "Accept-Language": document.documentElement.lang };
      if (token) headers.Authorization = `Bearer ${token}`;
      return fetch(url, { ...options, headers });
    };
    let response = await attempt();
    if (response.status === 401 && (await (proof ??= proveAgain()))) response = await attempt();
    token = response.headers.get("X-Session") ?? token;
    if (response.ok) over = false;
    return response;
  }

  /* A fresh proof first: an administrator's renews a connection that is broken. */
  async function provedFetch(url, options) {
    await (proof ??= proveAgain());
    return sessionFetch(url, options);
  }

  /* An hour is over: the portal hands out a fresh user token, and our server checks it anew. */
  async function proveAgain() {
    try {
      const url = one('meta[name="session-renewal"]')?.content;
      const [auth, facts] = url ? await Promise.all([Frame.refreshAuth(), Frame.init()]) : [];
      if (!auth?.AUTH_ID || !facts) return false;
      const { DOMAIN, PROTOCOL, LANG, MEMBER_ID, PLACEMENT, PLACEMENT_OPTIONS } = facts;
      const query = new URLSearchParams({ DOMAIN, PROTOCOL, LANG });
      const body = new URLSearchParams({
        AUTH_ID: auth.AUTH_ID,
        REFRESH_ID: auth.REFRESH_ID ?? "",
        AUTH_EXPIRES: auth.AUTH_EXPIRES ?? "",
        member_id: MEMBER_ID,
        PLACEMENT: PLACEMENT ?? "DEFAULT",
        PLACEMENT_OPTIONS: JSON.stringify(PLACEMENT_OPTIONS ?? {}),
      });
      const response = await fetch(`${url}?${query}`, { method: "POST", body, credentials: "omit" });
      const fresh = response.ok && response.headers.get("X-Session");
      if (fresh) token = fresh;
      return Boolean(fresh);
    } catch {
      return false;
    } finally {
      proof = null;
    }
  }

  /* ── Requests ──────────────────────────────────────────────────────────────────────────── */
  const isPoll = (ctx) => ["every", "live"].includes(ctx.sourceEvent?.type);
  const fillsItself = (ctx) => ["load", "intersect"].includes(ctx.sourceEvent?.type);

  const acts = new Set();

  /* What somebody asked for, from the question whether he is sure to the answer, is not replaced under his hands. */
  const act = ({ detail: { ctx } }) => !isPoll(ctx) && !fillsItself(ctx) && acts.add(ctx);
  on("htmx:confirm", act);
  on("htmx:before:request", act);
  on("htmx:finally:request", ({ detail: { ctx } }) => acts.delete(ctx));
  const busy = () => document.hidden || over || acts.size || one(":popover-open, dialog[open]");

  function missesPoll(event) {
    const { ctx } = event.detail;
    if (ctx.sourceEvent.type === "live") missed.add(ctx.sourceElement.dataset.hear);
    event.preventDefault();
  }

  on("htmx:before:response", (event) => isPoll(event.detail.ctx) && busy() && missesPoll(event));
  on("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    if (isPoll(ctx) && (busy() || told(ctx))) return missesPoll(event);
    ctx.fetch = "proveAgain" in (ctx.sourceElement?.dataset ?? {}) ? provedFetch : sessionFetch;
  });

  on("htmx:response:error", ({ detail: { ctx } }) => {
    const { status } = ctx.response;
    if (status === 422) return;
    over ||= status === 401;
    if (isPoll(ctx) && !over) {
      ctx.swap = "none";
      return;
    }
    if (fillsItself(ctx)) return;
    ctx.target = slotFor(ctx.sourceElement);
    ctx.swap = "innerHTML";
    ctx.select = null;
  });

  on("htmx:after:swap", ({ detail: { ctx } }) => {
    const { target } = ctx;
    if (target?.id === "page") one("#notices").replaceChildren(); // they were about the page before
    if (target?.matches?.("[data-notice], #notices")) target.scrollIntoView({ block: "nearest" });
    if (target?.id === "page" && document.activeElement === document.body) target.focus({ preventScroll: true });
  });

  on("htmx:error", ({ target, detail: { ctx } }) => {
    if (!ctx || isPoll(ctx)) return;
    const slot = slotFor(target);
    slot.replaceChildren(one("#offline-notice").content.cloneNode(true));
    slot.scrollIntoView({ block: "nearest" });
  });

  /* ── Live: a stream of hints what has changed; whoever shows it asks for itself. Nobody listens unseen. ── */
  const [AWAY, SURE] = [30_000, 10_000];
  const [missed, asked, stood] = [new Set(), new Map(), new Map()];
  let stream = null;
  let seen = true;

  /* While the stream flows the clock is asked by only now and then, to be sure. */
  function told({ sourceEvent, sourceElement }) {
    const [hears, part] = [sourceElement.dataset.hear, sourceElement.getAttribute("hx-get")];
    const [now, last] = [performance.now(), asked.get(part) ?? -SURE];
    if (stream?.flows && hears && sourceEvent.type === "every" && now - last < SURE) return true;
    asked.set(part, now);
    return false;
  }

  function tune() {
    const unseen = document.hidden || !seen || over;
    const shown = unseen ? [] : [...document.querySelectorAll("[data-hear]")];
    const topics = [...new Set(shown.map((element) => element.dataset.hear))].sort();
    const key = topics.join(" ");
    if ((stream?.key ?? "") === key) return;
    stream?.stop.abort();
    stream = key ? { key, stop: new AbortController(), flows: false, pause: AWAY } : null;
    if (stream) listen(stream, `/live?${new URLSearchParams(topics.map((topic) => ["on", topic]))}`);
  }

  /* With the token as it is: a page nobody touches shall not prove its viewer again for this alone. */
  async function listen(own, url) {
    while (stream === own && token) {
      own.pause = AWAY;
      try {
        const headers = { Authorization: `Bearer ${token}`, "Last-Event-ID": stood.get(own.key) ?? "" };
        const response = await fetch(url, { headers, signal: own.stop.signal });
        if (response.status === 401 && stream === own) stream = null; // till the page asks for something
        if (response.status === 200) {
          own.flows = true;
          await hear(own, response.body.pipeThrough(new TextDecoderStream()).getReader());
        }
      } catch {
        /* the page asks by itself meanwhile */
      }
      own.flows = false;
      if (stream === own) await new Promise((resolve) => setTimeout(resolve, own.pause));
    }
  }

  async function hear(own, reader) {
    for (let rest = ""; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const [field, value] = line.split(/: (.*)/s);
        if (field === "id") stood.set(own.key, value);
        if (field === "retry") own.pause = Number(value);
        if (field === "data") changed(value);
      }
      [...missed].forEach(changed);
    }
  }

  function changed(topic) {
    missed.delete(topic);
    document.querySelectorAll(`[data-hear="${CSS.escape(topic)}"]`).forEach((element) => window.htmx.trigger(element, "live"));
  }

  on("htmx:after:settle", tune);
  on("visibilitychange", tune);
  new IntersectionObserver((entries) => {
    seen = entries.at(-1).isIntersecting;
    tune();
  }).observe(one("#root"));

  function slotFor(element) {
    const near = element.closest?.("dialog, form, .card");
    return (near && one("[data-notice]", near)) ?? one("#notices");
  }

  /* ── Confirmation: a native dialog beside what was pressed, for a frame may be very tall ── */
  on("htmx:confirm", (event) => {
    event.preventDefault();
    const { ctx, issueRequest, dropRequest } = event.detail;
    const { sourceElement: source } = ctx;
    const dialog = one("#confirm");
    const { confirmText = "", confirmButton, confirmTone } = source.dataset;
    const yes = one("[value=yes]", dialog);
    one("h2", dialog).textContent = ctx.confirm;
    one("p", dialog).textContent = confirmText.replace("{n}", () => one("[data-picked-number]").textContent);
    yes.textContent = confirmButton ?? yes.dataset.label;
    yes.className = `button ${confirmTone === "danger" ? "danger" : "primary"}`;
    dialog.returnValue = "";
    dialog.onclose = () => {
      if (dialog.returnValue === "yes") return issueRequest();
      if (source.type === "checkbox") source.checked = !source.checked;
      dropRequest();
    };
    dialog.showModal();
    one("[value=no]", dialog).focus();
    placeBeside(dialog, source.getBoundingClientRect());
  });

  function placeBeside(dialog, rect) {
    const room = window.innerHeight - dialog.offsetHeight - 16;
    const top = rect.top + rect.height / 2 - dialog.offsetHeight / 2;
    dialog.style.marginTop = `${Math.max(16, Math.min(top, room))}px`;
  }

  /* ── Popovers ──────────────────────────────────────────────────────────────────────────── */
  on("beforetoggle", (event) => {
    const popover = event.target;
    if (event.newState !== "open" || !popover.matches("[popover]")) return;
    const opener = one(`[popovertarget="${CSS.escape(popover.id)}"]`);
    if (opener) requestAnimationFrame(() => placeUnder(popover, opener.getBoundingClientRect()));
  }, true);

  function placeUnder(popover, rect) {
    const edge = 8;
    const width = document.documentElement.clientWidth;
    const left = Math.min(rect.left, width - popover.offsetWidth - edge);
    const below = rect.bottom + 6;
    const fits = below + popover.offsetHeight + edge <= window.innerHeight;
    const top = fits ? below : Math.max(edge, rect.top - popover.offsetHeight - 6);
    popover.style.left = `${Math.max(edge, left) + window.scrollX}px`;
    popover.style.top = `${top + window.scrollY}px`;
  }

  /* htmx hands attributes of what it replaces on to what has the same id; our policy lets no style be handed on. */
  on("htmx:before:swap", ({ detail: { ctx } }) => {
    ctx.target?.querySelectorAll?.("[popover][style]").forEach((popover) => popover.removeAttribute("style"));
  });

  /* ── Clicks that mean something to the portal ──────────────────────────────────────────── */
  on("click", (event) => {
    const element = event.target.closest?.("[data-open-path], [data-open-app], [data-close-app], [data-dismiss], [data-call], [data-choose]");
    if (!element) return;
    const { openPath, openApp, call, choose } = element.dataset;
    event.preventDefault();
    if (call) Frame.call(call);
    else if (choose) chooseCards(element.form, choose.split(" "));
    else if (openPath) Frame.openPath(openPath);
    else if (openApp) Frame.openApplication(JSON.parse(openApp));
    else if ("closeApp" in element.dataset) Frame.closeApplication();
    else element.closest(".alert, .banner").remove();
  });

  /* The portal's own dialog; what was chosen there goes into the form as "contact:7 company:3". */
  async function chooseCards(form, kinds) {
    const chosen = (await Frame.selectCrm(kinds)) ?? {};
    const cards = kinds.flatMap((kind) =>
      Object.values(chosen[kind] ?? {}).map(({ id }) => `${kind}:${String(id).replace(/^\D+/, "")}`));
    if (!cards.length) return;
    form.elements.cards.value = cards.join(" ");
    form.requestSubmit();
  }

  on("card-changed", () => Frame.reloadData());
  on("slider-close", () => Frame.closeApplication());

  /* ── Forms and tabs ────────────────────────────────────────────────────────────────────── */
  on("input", ({ target }) => target.form?.matches("[data-track]") && target.form.classList.add("dirty"));
  on("reset", ({ target }) => target.classList.remove("dirty"));

  on("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const list = step && event.target.closest?.("[role=tablist]");
    if (!list) return;
    const tabs = [...list.querySelectorAll("[role=tab]")];
    tabs.at((tabs.indexOf(event.target) + step) % tabs.length).focus();
    event.preventDefault();
  });

  /* ── A table wider than its frame is reached, and moved, by keys ─────────────────────────── */
  function reachTables() {
    for (const box of document.querySelectorAll(".table-box")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  }
  on("htmx:after:settle", reachTables);
  window.addEventListener("resize", reachTables);
  reachTables();

  /* ── Lists: a way back leads to one as it was left; ticked rows are counted, and stay ticked ── */
  const [left, ticked] = [new Map(), new WeakMap()];
  const boxes = () => [...document.querySelectorAll("[data-pick]")];

  on("htmx:config:request", ({ detail: { ctx } }) => {
    const { request, sourceElement } = ctx;
    const aside = request.method === "GET" && !one("[data-list-at]")?.contains(sourceElement);
    if (aside && sourceElement.matches("a") && left.has(request.action)) request.action = left.get(request.action);
  });

  function countTicks() {
    const list = one("[data-list-at]");
    if (list) left.set(list.dataset.listAt, `${list.dataset.listAt}?${list.dataset.listQuery}`);
    const form = one("[data-picks]");
    if (!form) return;
    const values = ticked.get(form) ?? new Set();
    ticked.set(form, values);
    const [all, here] = [form.elements.every.value === "1", boxes()];
    for (const box of here) {
      box.checked = all || values.has(box.value);
      box.closest("tr").ariaSelected = box.checked;
    }
    const [whole, number] = [one("[data-pick-all]"), all ? Number(form.dataset.picks) : values.size];
    const full = here.length > 0 && here.every((box) => box.checked);
    if (whole) Object.assign(whole, { checked: full, indeterminate: !full && number > 0 });
    one("[data-picked-number]", form).textContent = number.toLocaleString(document.documentElement.lang);
    one("[data-pick-every]", form).hidden = all || !full || Number(form.dataset.picks) <= here.length;
    form.hidden = number === 0;
  }

  function tick(form, chosen, checked) {
    form.elements.every.value = "";
    const values = ticked.get(form);
    for (const { value } of chosen) values[checked ? "add" : "delete"](value);
    countTicks();
  }

  on("change", ({ target }) => {
    const form = one("[data-picks]");
    if (!form || !target.matches("[data-pick], [data-pick-all]")) return;
    if (form.elements.every.value) ticked.set(form, new Set(boxes().map(({ value }) => value)));
    tick(form, target.matches("[data-pick]") ? [target] : boxes(), target.checked);
  });

  on("click", ({ target }) => {
    const button = target.closest("[data-pick-every], [data-pick-none]");
    if (!button) return;
    const { form } = button;
    if ("pickNone" in button.dataset) {
      ticked.set(form, new Set());
      tick(form, [], false);
      one("[data-pick-all]")?.focus();
    } else {
      form.elements.every.value = "1";
      countTicks();
      one("[data-pick-none]", form).focus();
    }
  });

  on("htmx:after:settle", countTicks);

  /* ── The theme: kept by the server, put on here at once ────────────────────────────────── */
  const THEMES = {
    light: { media: "not all", scheme: "light" },
    dark: { media: "all", scheme: "dark" },
    auto: { media: "(prefers-color-scheme: dark)", scheme: "light dark" },
  };

  on("change", ({ target }) => {
    const theme = target.closest("#appearance") && THEMES[target.value];
    if (!theme) return;
    one("#dark").media = theme.media;
    one('meta[name="color-scheme"]').content = theme.scheme;
  });

  /* ── Start ─────────────────────────────────────────────────────────────────────────────── */
  /* The portal leaves the installer once it is told. Where it does not, a link goes on by itself. */
  let finishing = false;
  async function finishInstall() {
    const mark = one("[data-install-finish]");
    if (!mark || finishing) return;
    finishing = true;
    if ((await Frame.finishInstall()) === null && mark.matches("a[href]")) mark.click();
  }
  on("htmx:after:settle", finishInstall);
  finishInstall();
  on("htmx:after:process", () => one("#root").removeAttribute("inert"));
  Frame.follow(one("#root"));
  tune();
})();
