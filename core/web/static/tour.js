/* A tour of the page that is open: its steps stand in the page, hidden, and are said one by one beside their places. */
(() => {
  "use strict";

  const one = (selector, root = document) => root.querySelector(selector);
  const on = (type, listener) => document.addEventListener(type, listener);
  const bubble = one("#tour");
  const [title, text, count] = ["#tour-title", "#tour-text", "#tour-step"].map((each) => one(each));
  const [end, back, next] = ["end", "back", "next"].map((each) => one(`[data-tour-${each}]`, bubble));
  const EDGE = 8;
  const DEEP = 240; // into a tall place, for its end may be far below

  let steps = [];
  let at = 0;
  let place = null;
  let opener = null;
  let wanted = false;

  const shown = () => bubble.matches(":popover-open");

  function placeOf({ dataset }) {
    const spot = one(dataset.at);
    return spot?.checkVisibility() ? spot : null;
  }

  const found = () => [...document.querySelectorAll("[data-tour] > [data-at]")].filter(placeOf);

  function start(from) {
    steps = found();
    if (!steps.length) return;
    opener = from;
    if (!shown()) bubble.showPopover();
    show(0);
  }

  function show(step) {
    at = step;
    if (!stand()) return finish();
    const last = at === steps.length - 1;
    title.textContent = one("strong", steps[at]).textContent;
    text.textContent = one("p", steps[at]).textContent;
    count.textContent = bubble.dataset.step.replace("{at}", at + 1).replace("{all}", steps.length);
    one("span", next).textContent = last ? next.dataset.last : next.dataset.more;
    [back.hidden, end.hidden] = [at === 0, last];
    place.scrollIntoView({ block: "nearest" });
    put();
    next.focus({ preventScroll: true });
    bubble.scrollIntoView({ block: "nearest" });
  }

  /* The place of the step, looked for again: the page may have put it anew. */
  function stand() {
    place?.classList.remove("toured");
    place = steps[at].isConnected ? placeOf(steps[at]) : null;
    place?.classList.add("toured");
    return place;
  }

  /* Under the place, and never past the end of the page: a fitted frame is as high as that, or will be in a moment. */
  function put() {
    const { left, top, bottom } = place.getBoundingClientRect();
    const { clientWidth: width, classList } = document.documentElement;
    const long = one("#root").offsetHeight;
    const height = classList.contains("fitted") ? long : Math.max(window.innerHeight, long);
    const [x, y] = [left + EDGE, Math.min(bottom + EDGE, top + DEEP) + window.scrollY];
    bubble.style.left = `${Math.max(EDGE, Math.min(x, width - bubble.offsetWidth - EDGE)) + window.scrollX}px`;
    bubble.style.top = `${Math.max(EDGE, Math.min(y, height - bubble.offsetHeight - EDGE))}px`;
  }

  function finish() {
    if (!shown()) return;
    place?.classList.remove("toured");
    bubble.hidePopover();
    (opener?.isConnected ? opener : one("#page")).focus({ preventScroll: true });
  }

  on("click", ({ target }) => {
    const pressed = (name) => target.closest?.(`[data-tour-${name}]`);
    wanted = Boolean(pressed("after"));
    const from = pressed("start");
    if (from || pressed("no")) one("#tour-offer")?.setAttribute("hidden", "");
    if (from) start(from.closest("#tour-offer") ? null : from);
    else if (target.closest?.("#tour [data-tour-next]")) at < steps.length - 1 ? show(at + 1) : finish();
    else if (target.closest?.("#tour [data-tour-back]")) show(at - 1);
    else if (target.closest?.("#tour [data-tour-end]")) finish();
  });

  on("keydown", (event) => {
    if (!shown()) return;
    if (event.key === "Escape") finish();
    else if (event.key !== "Tab" || !bubble.contains(event.target)) return;
    else turn(event.shiftKey ? -1 : 1);
    event.preventDefault();
  });

  /* The keyboard stays with the step till it is over. */
  function turn(by) {
    const keys = [end, back, next].filter((key) => !key.hidden);
    keys.at((keys.indexOf(document.activeElement) + by) % keys.length).focus();
  }

  /* A place put anew is the same step. Another page: its own tour if that was asked for, and no step about what is gone. */
  on("htmx:after:settle", () => {
    if (shown() && !place.isConnected) stand() ? put() : finish();
    if (!wanted || shown() || !found().length) return;
    wanted = false;
    start(null);
  });
})();
