"use strict";
/* The chat box, and tips that follow pointer and keyboard. Pages can be read without it. */

document.querySelectorAll(".needs-script").forEach((one) => { one.hidden = false; });

/* Tips: what a part of the strip or the chart is stands below it. Tab reaches the group, arrow keys its parts. */
function wireTips(root) {
  for (const group of root.querySelectorAll("svg.strip, svg.chart")) {
    const links = [...group.querySelectorAll("a")];
    const tip = group.parentElement.querySelector(".tip");
    if (!tip || !links.length) continue;
    links.forEach((link, at) => {
      link.setAttribute("tabindex", at === links.length - 1 ? "0" : "-1");
      const show = () => { tip.textContent = link.dataset.tip; };
      link.addEventListener("mouseenter", show);
      link.addEventListener("focus", show);
      link.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        const next = step && links[at + step];
        if (!next) return;
        event.preventDefault();
        link.setAttribute("tabindex", "-1");
        next.setAttribute("tabindex", "0");
        next.focus();
      });
    });
  }
}
wireTips(document);

/* Server-sent events of a fetch, as [name, facts]. */
async function* serverEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    waiting += value;
    const whole = waiting.split("\n\n");
    waiting = whole.pop();
    for (const event of whole) {
      const name = /^event: (.*)$/m.exec(event), data = /^data: (.*)$/m.exec(event);
      if (name && data) yield [name[1], JSON.parse(data[1])];
    }
  }
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error(`${file.name} cannot be read`));
    reader.readAsDataURL(file);
  });
}

class Composer {
  constructor(form) {
    this.form = form;
    this.api = `/api/conversations/${form.dataset.conversation}`;
    this.said = form.querySelector("textarea");
    this.output = form.querySelector("output");
    this.files = [];
    this.editing = null;
    this.reply = null;
    this.leaving = null;
    form.addEventListener("submit", (event) => { event.preventDefault(); this.send(); });
    form.addEventListener("click", (event) => this.act(event.target.dataset && event.target.dataset.act));
    this.said.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.send(); }
      if (event.key === "Escape" && this.editing) this.endEdit();
    });
    const picker = form.querySelector('input[type="file"]');
    picker.addEventListener("change", () => { this.attach(picker.files); picker.value = ""; });
    picker.parentElement.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); picker.click(); }
    });
    for (const name of ["dragenter", "dragover"]) {
      form.addEventListener(name, (event) => { event.preventDefault(); form.classList.add("drop"); });
    }
    for (const name of ["dragleave", "drop"]) form.addEventListener(name, () => form.classList.remove("drop"));
    form.addEventListener("drop", (event) => { event.preventDefault(); this.attach(event.dataTransfer.files); });
    this.remember();
    document.addEventListener("click", (event) => {
      const edit = event.target.closest && event.target.closest('[data-act="edit"]');
      if (edit) this.beginEdit(edit.closest(".turn"));
    });
  }

  /* Model, budget and memory stay as they were chosen for this conversation, in this browser. */
  remember() {
    const key = `sash:${this.form.dataset.conversation}`;
    const fields = [...this.form.querySelectorAll('[name="model"], [name="memory"], [name="budget"]')];
    let kept = {};
    try { kept = JSON.parse(localStorage.getItem(key) || "{}"); } catch { kept = {}; }
    for (const field of fields) {
      if (kept[field.name]) field.value = kept[field.name];
      field.addEventListener("change", () => {
        kept[field.name] = field.value;
        try { localStorage.setItem(key, JSON.stringify(kept)); } catch { /* a private window keeps nothing */ }
      });
    }
  }

  act(name) {
    if (name === "retry" || name === "regenerate") this.run(name, this.chosen());
    if (name === "stop") this.stop();
  }

  chosen() {
    const told = {};
    for (const field of this.form.querySelectorAll("select, details input[name]")) {
      if (field.value) told[field.name] = field.type === "number" ? Number(field.value) : field.value;
    }
    return told;
  }

  attach(files) {
    this.files.push(...files);
    const list = this.form.querySelector(".files");
    list.replaceChildren(...this.files.map((file) => {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.className = "chip";
      chip.textContent = `${file.name} ✕`;
      chip.setAttribute("aria-label", `Leave out ${file.name}`);
      chip.addEventListener("click", () => {
        this.files = this.files.filter((one) => one !== file);
        this.attach([]);
        this.said.focus();
      });
      return chip;
    }));
  }

  beginEdit(turn) {
    this.editing = Number(turn.dataset.turn);
    this.said.value = [...turn.querySelectorAll(":scope > .said")].map((one) => one.innerText.trim()).join("\n\n");
    this.say("Say it otherwise: the conversation goes on from there on a branch of its own. Escape leaves it.");
    this.said.focus();
  }

  endEdit() { this.editing = null; this.said.value = ""; this.say(""); }

  say(text) { this.output.textContent = text; this.output.classList.remove("bad"); }

  fail(text) { this.output.textContent = text; this.output.classList.add("bad"); }

  async send() {
    const content = this.said.value;
    if (this.reply || (!content.trim() && !this.files.length)) return;
    let files;
    try {
      files = await Promise.all(this.files.map(async (file) => ({ name: file.name, data: await base64(file) })));
    } catch (error) { this.fail(error.message); return; }
    const body = { ...this.chosen(), content: content.trim() ? content : [], files };
    if (this.editing) await this.run("edit", { ...body, turn: this.editing }, content);
    else await this.run("send", { ...body, token: crypto.randomUUID ? crypto.randomUUID() : String(Math.random()) }, content);
  }

  async run(what, body, content) {
    const live = this.begin(content);
    this.leaving = new AbortController();
    let trouble = "", done = false;
    try {
      const response = await fetch(`${this.api}/${what}`, {
        method: "POST", body: JSON.stringify(body), signal: this.leaving.signal,
        headers: { "content-type": "application/json", accept: "text/event-stream" },
      });
      if (!response.ok) throw new Error((await response.json()).error.message);
      for await (const [name, facts] of serverEvents(response)) {
        if (name === "start") this.reply = facts.reply;
        if (name === "text") { live.textContent += facts.text; this.follow(live); }
        if (name === "thinking" && !live.textContent) this.say("Thinking …");
        if (name === "done") done = true;
        if (name === "error") trouble = facts.error.message;
      }
      if (!done && !trouble) trouble = "The reply was stopped; what had come is recorded.";
      else if (done) this.said.value = "";
    } catch (error) {
      trouble = error.name === "AbortError" ? "Stopped." : error.message;
    }
    await this.end(live, what, trouble);
  }

  begin(content) {
    this.reply = "starting";
    this.form.querySelector('[data-act="stop"]').hidden = false;
    for (const one of this.form.querySelectorAll('[data-act="send"], [data-act="retry"], [data-act="regenerate"]')) one.disabled = true;
    this.say("");
    const transcript = document.getElementById("transcript");
    const empty = transcript.querySelector(".empty");
    if (empty) empty.remove();
    if (content) transcript.append(this.turn("user", "User", content));
    const live = this.turn("assistant", "Claude", "");
    transcript.append(live);
    const text = live.querySelector(".live");
    text.classList.add("working");
    text.setAttribute("aria-busy", "true");
    this.follow(live);
    return text;
  }

  turn(role, name, text) {
    const made = document.createElement("article");
    made.className = `turn ${role}`;
    const head = document.createElement("header"), dot = document.createElement("span"), who = document.createElement("b");
    dot.className = "dot";
    who.textContent = name;
    head.append(dot, who);
    const said = document.createElement("div");
    said.className = "said live";
    said.dir = "auto";
    said.textContent = text;
    made.append(head, said);
    return made;
  }

  /* Keep the end in sight for whoever is there already. */
  follow(element) {
    const room = document.documentElement.scrollHeight - window.scrollY - window.innerHeight;
    if (room < 400) element.scrollIntoView({ block: "nearest" });
  }

  async stop() {
    if (!this.reply || this.reply === "starting") { if (this.leaving) this.leaving.abort(); return; }
    await fetch(`${this.api}/stop`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ reply: this.reply }),
    });
  }

  async end(live, what, trouble) {
    live.classList.remove("working");
    this.reply = this.leaving = null;
    const said = this.said.value;
    await this.refresh();
    const fresh = document.getElementById("composer");
    if (!fresh || fresh === this.form) { if (trouble) this.fail(trouble); return; }
    const next = new Composer(fresh);
    next.said.value = trouble && what !== "retry" ? said : "";
    if (trouble && /stopped/i.test(trouble)) next.said.value = "";
    if (trouble) next.fail(trouble);
    next.said.focus();
  }

  /* The page as the server has it now: the reply as Markdown, the window, the chart. */
  async refresh() {
    const response = await fetch(`/c/${this.form.dataset.conversation}`, { headers: { accept: "text/html" } });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const main = document.importNode(page.getElementById("main"), true);
    main.querySelectorAll(".needs-script").forEach((one) => { one.hidden = false; });
    document.title = page.title;
    document.getElementById("main").replaceWith(main);
    if (location.search) history.replaceState(null, "", `/c/${this.form.dataset.conversation}`);
    wireTips(main);
    main.querySelector("#transcript").lastElementChild.scrollIntoView({ block: "nearest" });
  }
}

const composer = document.getElementById("composer");
if (composer) {
  new Composer(composer);
  const newest = document.querySelector("#transcript > .turn:last-of-type");
  if (newest && !location.hash && !location.search) newest.scrollIntoView({ block: "end" });
}
