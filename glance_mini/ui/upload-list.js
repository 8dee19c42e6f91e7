// Uploads that go on after a pause, a broken connection or a closed page. The storage of the browser keeps which they
// are, and no token: whoever logs in sees those that the service shows them.

import { ApiError, call, send, sendPart } from "./api.js";
import { formatOf } from "./formats.js";
import { action, make, say, size } from "./elements.js";

const KEPT = "glance-mini-uploads";
const AT_ONCE = 2;
const TUS = { "Tus-Resumable": "1.0.0" };
const PASSING = new Set([0, 423, 502, 503, 504]);
const LONGEST_PAUSE = 30;
const RATE_OF = 10_000;

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? [];
  } catch {
    return [];
  }
}

function keep(entries) {
  localStorage.setItem(KEPT, JSON.stringify(entries.filter((each) => !(Date.parse(each.until) < Date.now()))));
}

class Upload {
  constructor(file, entry = { name: file.name, size: file.size, modified: file.lastModified }) {
    Object.assign(this, { file, entry, sent: 0, state: "waiting", text: "", samples: [], hashes: [] });
  }

  get path() {
    return `images/${this.entry.image}/upload/${this.entry.session}`;
  }

  isOf(file) {
    return !this.file && ["name", "size"].every((key) => file[key] === this.entry[key]) && file.lastModified === this.entry.modified;
  }

  // Make the image and its upload, which the browser remembers from then on.
  async create() {
    const { name, size: length } = this.entry;
    if (!this.entry.image) {
      const image = await call("POST", "images", { name, ...(await formatOf(this.file)) });
      this.entry.image = image.id;
      this.format = image.disk_format;
    }
    const answer = await send("POST", `images/${this.entry.image}/upload`, undefined, { ...TUS, "Upload-Length": String(length) });
    this.entry.session = answer.headers.get("Location").split("/").pop();
    this.entry.until = answer.headers.get("Upload-Expires");
    keep([...kept(), this.entry]);
  }

  forget() {
    keep(kept().filter((each) => each.session !== this.entry.session));
  }

  async offset() {
    const answer = await send("HEAD", this.path, undefined, TUS);
    return Number(answer.headers.get("Upload-Offset"));
  }

  // Send what is missing. Throws ApiError; a passing one may be tried again.
  async send(onProgress) {
    const begin = this.sent = await this.offset();
    if (begin === this.entry.size && (await this.isStored())) return;
    // A file that has changed or gone cannot be read, and says so here.
    await this.file.slice(begin, begin + 1).arrayBuffer();
    await sendPart(this.path, begin, this.file.slice(begin), (bytes) => { this.note(begin + bytes); onProgress(); }, this.stop.signal);
    this.sent = this.entry.size;
  }

  async isStored() {
    return (await call("GET", `images/${this.entry.image}`)).status === "active";
  }

  note(sent) {
    const now = Date.now();
    this.sent = sent;
    this.samples = [...this.samples.filter(([when]) => now - when < RATE_OF), [now, sent]];
  }

  get secondsLeft() {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    if (!first || last[0] - first[0] < 500 || last[1] <= first[1]) return null;
    return Math.ceil(((this.entry.size - this.sent) * (last[0] - first[0])) / (last[1] - first[1]) / 1000);
  }
}

class UploadList extends HTMLElement {
  uploads = [];

  connectedCallback() {
    this.append(make("h2", {}, "Uploads"), this.rows = make("ul"));
    window.addEventListener("online", () => this.uploads.forEach((each) => each.wake?.()));
  }

  // Take files: one that was begun before goes on, another one becomes a new image.
  add(files) {
    for (const file of files) {
      const begun = this.uploads.find((each) => each.isOf(file));
      if (begun) Object.assign(begun, { file, state: "waiting" });
      else this.uploads.push(new Upload(file));
    }
    this.next();
  }

  // Show what was begun before the page was closed, as far as the user may see it.
  async recall() {
    keep(kept());
    for (const entry of kept()) {
      const upload = new Upload(null, entry);
      try {
        upload.sent = await upload.offset();
        const isKnown = this.uploads.some((each) => each.entry.session === entry.session);
        if (!isKnown) this.uploads.push(Object.assign(upload, { state: "lost" }));
      } catch {
        // It belongs to another user, or has ended.
      }
    }
    this.show();
  }

  leave() {
    for (const upload of this.uploads) this.pause(upload);
    this.uploads = [];
    this.show();
  }

  next() {
    const running = this.uploads.filter((each) => each.state === "sending").length;
    for (const upload of this.uploads.filter((each) => each.state === "waiting").slice(0, AT_ONCE - running)) this.run(upload);
    this.show();
  }

  async run(upload) {
    Object.assign(upload, { state: "sending", stop: new AbortController(), text: "", samples: [] });
    let pause = 1;
    while (upload.state === "sending") {
      try {
        const before = upload.sent;
        if (!upload.entry.session) await upload.create().finally(() => this.show());
        await upload.send(() => this.tick(upload)).finally(() => { if (upload.sent > before) pause = 1; });
        upload.state = "done";
        upload.forget();
        await this.finish(upload);
      } catch (error) {
        if (upload.state !== "sending") break;
        if (!(error instanceof ApiError) || !PASSING.has(error.status)) {
          Object.assign(upload, { state: "failed", text: error.message });
          upload.forget();
          break;
        }
        upload.text = `${error.message} It goes on by itself.`;
        this.show();
        await new Promise((resolve) => { upload.wake = resolve; setTimeout(resolve, pause * 1000); });
        pause = Math.min(pause * 2, LONGEST_PAUSE);
        upload.text = "";
      }
    }
    this.next();
  }

  async finish(upload) {
    const image = await call("GET", `images/${upload.entry.image}`).catch(() => ({}));
    upload.hashes = [[image.os_hash_algo, image.os_hash_value], ["md5", image.checksum]].filter(([, value]) => value);
    say(`${upload.entry.name} is stored.`);
  }

  pause(upload) {
    if (!["waiting", "sending"].includes(upload.state)) return;
    upload.state = "paused";
    upload.stop?.abort();
    upload.wake?.();
  }

  resume(upload) {
    upload.state = "waiting";
    this.next();
  }

  async cancel(upload) {
    this.pause(upload);
    this.uploads = this.uploads.filter((each) => each !== upload);
    this.show();
    if (!upload.entry.image) return;
    upload.forget();
    if (upload.state !== "done") await call("DELETE", `images/${upload.entry.image}`);
  }

  clear(upload) {
    this.uploads = this.uploads.filter((each) => each !== upload);
    this.show();
  }

  show() {
    this.hidden = !this.uploads.length;
    this.rows.replaceChildren(...this.uploads.map((upload) => this.row(upload)));
  }

  row(upload) {
    const { entry, state } = upload;
    const name = entry.image ? make("a", { href: `#/image/${entry.image}` }, entry.name) : entry.name;
    upload.bar = make("progress", { max: Math.max(entry.size, 1), "aria-label": `Upload of ${entry.name}` });
    upload.words = make("span");
    const buttons = [];
    const add = (label, act) => buttons.push(action(label, act, `${label} ${entry.name}`));
    if (["waiting", "sending"].includes(state)) add("Pause", () => { this.pause(upload); this.show(); });
    if (state === "paused") add("Resume", () => { this.resume(upload); });
    if (["waiting", "sending", "paused", "lost"].includes(state)) add("Cancel", () => this.cancel(upload));
    if (state === "failed" && entry.image) add("Delete image", () => this.cancel(upload));
    if (["done", "failed"].includes(state)) add("Clear", () => { this.clear(upload); return false; });
    const hashes = upload.hashes.map(([kind, value]) => make("code", {}, `${kind} ${value}`));
    const row = make("li", { className: state }, make("b", {}, name), upload.format ? ` ${upload.format} ` : " ", upload.bar, upload.words, make("span", { className: "actions" }, ...buttons), ...hashes);
    this.tick(upload);
    return row;
  }

  // Only texts and the bar change while bytes are sent, so that no button is lost under a finger.
  tick(upload) {
    const { entry, sent, state, secondsLeft, text } = upload;
    upload.bar.value = state === "done" ? upload.bar.max : sent;
    const far = `${size(sent)} of ${size(entry.size)}`;
    upload.words.textContent = {
      waiting: "waits",
      sending: text || (sent === entry.size ? "sent; the service reads it" : far + (secondsLeft === null ? "" : `, ${duration(secondsLeft)} left`)),
      paused: `paused at ${far}`,
      lost: `stopped at ${far}; choose or drop the file again to go on`,
      done: `${size(entry.size)} stored`,
      failed: text,
    }[state];
  }
}

function duration(seconds) {
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  return hours ? `${hours} h ${minutes % 60} min` : minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

customElements.define("upload-list", UploadList);
