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
  let opener = null;
  let wanted = false;

  const shown = () => bubble.matches(":popover-open");

  function found() {
    return [...document.querySelectorAll("[data-tour] > [data-at]")]
      .map((words) => ({ words, place: one(words.dataset.at) }))
      .filter(({ place }) => place?.checkVisibility());
  }

  function start(from) {
    steps = found();
    if (!steps.length) return;
    opener = from;
    bubble.showPopover();
    show(0);
  }

  function show(step) {
    mark(false);
    at = step;
    mark(true);
    const { words, place } = steps[at];
    const last = at === steps.length - 1;
    title.textContent = one("strong", words).textContent;
    text.textContent = one("p", words).textContent;
    count.textContent = bubble.dataset.step.replace("{at}", at + 1).replace("{all}", steps.length);
    one("span", next).textContent = last ? next.dataset.last : next.dataset.more;
    [back.hidden, end.hidden] = [at === 0, last];
    place.scrollIntoView({ block: "nearest" });
    put(place.getBoundingClientRect());
    next.focus({ preventScroll: true });
    bubble.scrollIntoView({ block: "nearest" });
  }

  const mark = (now) => steps[at]?.place.classList.toggle("toured", now);

  /* Under the place, and never past the end of the page: a fitted frame is as high as that, or will be in a moment. */
  function put({ left, top, bottom }) {
    const { clientWidth: width, classList } = document.documentElement;
    const long = one("#root").offsetHeight;
    const height = classList.contains("fitted") ? long : Math.max(window.innerHeight, long);
    const [x, y] = [left + EDGE, Math.min(bottom + EDGE, top + DEEP) + window.scrollY];
    bubble.style.left = `${Math.max(EDGE, Math.min(x, width - bubble.offsetWidth - EDGE)) + window.scrollX}px`;
    bubble.style.top = `${Math.max(EDGE, Math.min(y, height - bubble.offsetHeight - EDGE))}px`;
  }

  function finish() {
    if (!shown()) return;
    mark(false);
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

  /* Another page: its own tour if that was asked for, and no step about what is gone. */
  on("htmx:after:settle", () => {
    if (shown() && !steps[at].place.isConnected) finish();
    if (!wanted || shown() || !found().length) return;
    wanted = false;
    start(null);
  });
})();
