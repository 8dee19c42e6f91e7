// The catalogue: only the rows that are seen are in the page, and pages are loaded as the user comes to them.

import { call } from "./api.js";
import { Live, choice, field, make, say, size, time } from "./elements.js";

const HEIGHT = 44;
const MORE = 12;
const PAGE = 200;
const PAUSE = 250;
const COLUMNS = [["name", "Name"], ["status", "Status"], ["visibility", "Visibility"], ["disk_format", "Format"], ["size", "Size"], ["updated_at", "Changed"]];
const SORTED = new Set(["name", "status", "disk_format", "size", "updated_at"]);
export const DISK_FORMATS = ["qcow2", "raw", "iso", "vmdk", "vhd", "vhdx", "vdi", "ploop", "ami", "ari", "aki"];
const STATUSES = ["queued", "saving", "uploading", "importing", "active", "deactivated"];
const EXACT = ["status", "visibility", "disk_format", "owner", "tag", "member_status", "os_hidden"];

class ImageList extends Live {
  begin() {
    this.rows = [];
    this.known = new Set();
    this.sort = ["updated_at", "desc"];
    this.append(this.filters(), this.table());
    this.body.addEventListener("scroll", () => this.show(), { passive: true });
    this.observer = new ResizeObserver(() => this.show());
    this.observer.observe(this.body);
    this.addEventListener("dragover", (event) => { event.preventDefault(); this.classList.add("over"); });
    this.addEventListener("dragleave", () => this.classList.remove("over"));
    this.addEventListener("drop", (event) => { event.preventDefault(); this.classList.remove("over"); this.take(event.dataTransfer.files); });
    this.load();
  }

  end() {
    this.observer.disconnect();
    clearTimeout(this.typing);
  }

  filters() {
    const any = (values) => [["", "any"], ...values];
    const files = make("input", { name: "files", type: "file", multiple: true });
    this.form = make("form", { role: "search" },
      field("Part of the name", "name", { type: "search", maxLength: 255 }),
      make("details", {}, make("summary", {}, "Filters"), make("div", { className: "fields" },
        choice("Status", "status", any(STATUSES)),
        choice("Visibility", "visibility", any(["public", "community", "shared", "private", ["all", "all, also community"]])),
        choice("Format", "disk_format", any(DISK_FORMATS)),
        field("Tag", "tag", { type: "search" }),
        field("Owner", "owner", { type: "search" }),
        choice("Shared with me", "member_status", [["", "accepted"], ["pending", "not answered"], ["rejected", "rejected"], ["all", "all"]]),
        choice("Hidden", "os_hidden", [["", "no"], ["true", "yes"]]))),
      make("label", {}, "Upload files, or drop them here", files));
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.load(); });
    for (const kind of ["input", "change"]) {
      this.form.addEventListener(kind, (event) => {
        if (event.target === files) return;
        clearTimeout(this.typing);
        this.typing = setTimeout(() => { if (String(this.query()) !== this.asked) this.load(); }, PAUSE);
      });
    }
    files.addEventListener("change", () => { this.take([...files.files]); files.value = ""; });
    return this.form;
  }

  take(files) {
    document.getElementById("uploads").add(files);
  }

  table() {
    const heads = COLUMNS.map(([key, label]) => {
      const head = make("div", { role: "columnheader" });
      if (!SORTED.has(key)) head.append(label);
      else head.append(make("button", { type: "button", onclick: () => this.order(key) }, label));
      head.dataset.key = key;
      return head;
    });
    this.head = make("div", { className: "row head", role: "row" }, ...heads);
    this.space = make("div", { role: "presentation" });
    this.empty = make("p", { hidden: true, role: "presentation" }, "No image.");
    this.body = make("div", { className: "body", role: "rowgroup", tabIndex: 0, "aria-label": "Images" }, this.space);
    this.grid = make("div", { className: "table", role: "table", "aria-label": "Images" }, make("div", { role: "rowgroup" }, this.head), this.body);
    return this.grid;
  }

  order(key) {
    this.sort = [key, this.sort[0] === key && this.sort[1] === "asc" ? "desc" : "asc"];
    this.load();
  }

  query() {
    const query = new URLSearchParams({ limit: PAGE, sort_key: this.sort[0], sort_dir: this.sort[1] });
    const values = this.form.elements;
    if (values.name.value) query.set("name", `contains:${values.name.value}`);
    for (const name of EXACT) if (values[name].value.trim()) query.set(name, values[name].value.trim());
    return query;
  }

  async load() {
    clearTimeout(this.typing);
    const query = this.query();
    this.asked = String(query);
    this.isFiltered = query.size > 3;
    for (const head of this.head.children) {
      if (head.dataset.key === this.sort[0]) head.setAttribute("aria-sort", this.sort[1] === "asc" ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    this.rows = [];
    this.known = new Set();
    this.next = `images?${this.asked}`;
    this.body.scrollTop = 0;
    this.turn = (this.turn ?? 0) + 1;
    this.isLoading = false;
    await this.more();
  }

  async more() {
    if (!this.next || this.isLoading) return;
    const turn = this.turn;
    this.isLoading = true;
    try {
      const page = await call("GET", this.next);
      if (turn !== this.turn) return;
      this.rows.push(...page.images.filter((image) => !this.known.has(image.id)).map(kept));
      for (const image of page.images) this.known.add(image.id);
      this.next = page.next ?? null;
    } catch (error) {
      if (turn === this.turn) { this.next = null; say(error.message, true); }
    } finally {
      if (turn === this.turn) { this.isLoading = false; this.show(); }
      if (turn === 1) performance.mark("catalogue");
    }
  }

  show() {
    const first = Math.max(0, Math.floor(this.body.scrollTop / HEIGHT) - MORE);
    const last = Math.min(this.rows.length, Math.ceil((this.body.scrollTop + this.body.clientHeight) / HEIGHT) + MORE);
    this.space.style.height = `${this.rows.length * HEIGHT}px`;
    this.body.setAttribute("aria-busy", Boolean(this.next) && !this.rows.length);
    this.empty.hidden = Boolean(this.next) || this.rows.length > 0;
    this.grid.setAttribute("aria-rowcount", this.next ? -1 : this.rows.length + 1);
    const focused = this.body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    this.body.replaceChildren(this.space, this.empty, ...this.rows.slice(first, last).map((image, n) => this.row(image, first + n)));
    if (focused) this.body.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    if (last + MORE >= this.rows.length) this.more();
  }

  row(image, number) {
    const name = make("a", { href: `#/image/${image.id}` }, image.name || image.id);
    const cells = [name, image.status, image.visibility, image.disk_format ?? "–", size(image.size), time(image.updated_at)];
    const row = make("div", { className: "row", role: "row", "aria-rowindex": number + 2 }, ...cells.map((cell) => make("div", { role: "cell" }, cell)));
    row.style.top = `${number * HEIGHT}px`;
    return row;
  }

  hear(kind, data) {
    if (kind === "reset") return this.load();
    const place = this.rows.findIndex((row) => row.id === data.id);
    if (kind === "image.delete" || kind === "image.gone") {
      if (place >= 0) this.rows.splice(place, 1);
      this.known.delete(data.id);
    } else if (kind === "image.create" || kind === "image.update") {
      if (place >= 0) Object.assign(this.rows[place], kept(data));
      else if (!this.isFiltered && !data.os_hidden && this.sort.join() === "updated_at,desc") this.put(kept(data));
      else return;
    } else return;
    this.show();
  }

  put(row) {
    this.rows.unshift(row);
    this.known.add(row.id);
  }
}

function kept({ id, name, status, visibility, disk_format, size: bytes, updated_at }) {
  return { id, name, status, visibility, disk_format, size: bytes, updated_at };
}

customElements.define("image-list", ImageList);
