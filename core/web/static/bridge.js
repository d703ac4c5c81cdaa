/* Talks to the Bitrix24 page around our frame by postMessage. Nothing here can reach REST or read
   a token the portal did not hand over. Why our own: docs/decisions/0002-frame-bridge.md */
(() => {
  "use strict";

  const [host = "", https = "", appSid = ""] = window.name.split("|");
  const inside = window.parent !== window && host !== "" && appSid !== "";
  const origin = `http${https === "1" ? "s" : ""}://${host.toLowerCase().replace(/:(80|443)$/, "")}`;
  const waiting = new Map();
  let counter = 0;

  /* The portal never answers a command it does not know, hence the time limit: null means silence. */
  function send(command, params = null, limit = 0) {
    if (!inside) return Promise.resolve(null);
    const id = `rubilnik${++counter}x${Math.random().toString(36).slice(2)}`;
    const json = params && Object.keys(params).length ? JSON.stringify(params) : "";
    return new Promise((resolve) => {
      const timer = limit && setTimeout(() => settle(id, null), limit);
      waiting.set(id, { resolve, timer });
      window.parent.postMessage([command, json, id, appSid].filter(Boolean).join(":"), origin);
    });
  }

  function settle(id, value) {
    const call = waiting.get(id);
    if (!call) return;
    waiting.delete(id);
    clearTimeout(call.timer);
    call.resolve(value);
  }

  window.addEventListener("message", (event) => {
    if (event.source !== window.parent || event.origin !== origin) return;
    if (typeof event.data !== "string") return;
    const colon = event.data.indexOf(":");
    const id = colon < 0 ? event.data : event.data.slice(0, colon);
    try {
      settle(id, colon < 0 || colon === event.data.length - 1 ? true : JSON.parse(event.data.slice(colon + 1)));
    } catch {
      settle(id, null);
    }
  });

  let facts;
  const init = () => (facts ??= send("getInitData", null, 5000));

  /* The frame follows our content, growing and shrinking. A slider is as high as the window and
     scrolls by itself, so there the portal refuses and we stay silent. */
  function follow(root) {
    if (!inside) return;
    let sent = 0;
    let timer = 0;
    const fit = async () => {
      const height = Math.ceil(root.getBoundingClientRect().height);
      if (!height || height === sent) return;
      sent = height;
      const answer = await send("resizeWindow", { width: "100%", height }, 900);
      if (answer !== null) document.documentElement.classList.add("fitted");
    };
    const observer = new ResizeObserver(() => {
      clearTimeout(timer);
      timer = setTimeout(fit, 100);
    });
    observer.observe(root);
    fit();
    init().then((data) => {
      if (data?.PLACEMENT_OPTIONS?.IFRAME !== "Y") return;
      observer.disconnect();
      clearTimeout(timer);
      document.documentElement.classList.remove("fitted");
    });
  }

  async function openPath(path) {
    if (!inside) return null;
    const answer = await send("openPath", { path });
    if (answer?.errorCode === "METHOD_NOT_SUPPORTED_ON_DEVICE") {
      window.open(origin + path, "_blank", "noopener");
    }
    return answer;
  }

  window.Frame = Object.freeze({
    inside,
    origin,
    init,
    follow,
    openPath,
    openApplication: (params) => send("openApplication", params),
    closeApplication: () => send("closeApplication"),
    call: (phone) => send("imPhoneTo", { phone }, 900),
    selectCrm: (kinds) => send("selectCRM", { entityType: kinds, multiple: true }),
    reloadData: () => send("reloadData", null, 900),
    setTitle: (title) => send("setTitle", { title: String(title) }, 900),
    refreshAuth: () => send("refreshAuth", null, 5000),
    finishInstall: async () => ((await init())?.INSTALL ? send("setInstallFinish", null, 5000) : null),
  });
})();
