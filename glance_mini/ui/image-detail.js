// One image with all that the caller may see of it, and what can be done with it.

import { call, patch } from "./api.js";
import { Live, action, copyButton, make, refill, size, time } from "./elements.js";
import "./image-copies.js";
import "./image-edit.js";
import "./image-sharing.js";
import "./image-tasks.js";

const COPIED = new Set(["id", "checksum", "os_hash_value", "owner"]);
const NOT_SHOWN = new Set(["self", "file", "schema", "locations", "tags"]);
const SECTIONS = ["image-edit", "image-copies", "image-sharing", "image-tasks"];

class ImageDetail extends Live {
  begin() {
    this.load();
  }

  // Read the image anew; what is typed in the forms stays.
  async load() {
    const id = this.getAttribute("image");
    try {
      this.image = await call("GET", `images/${id}`);
      if (this.isConnected) this.show();
    } catch (error) {
      this.leave(error.message);
    }
  }

  leave(text) {
    this.sections = null;
    this.replaceChildren(make("h2", {}, "Image"), make("p", { className: "bad" }, text));
  }

  show() {
    const { image } = this;
    if (!this.sections) {
      this.heading = make("h2");
      this.actions = make("div", { className: "actions" });
      this.values = make("dl");
      this.sections = SECTIONS.map((name) => make(name));
      this.replaceChildren(this.heading, this.actions, this.values, ...this.sections);
    }
    this.heading.textContent = image.name || image.id;
    refill(this.actions, ...this.buttons(image));
    const values = Object.entries(image).filter(([name]) => !NOT_SHOWN.has(name)).sort();
    refill(this.values, ...values.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, ...shown(name, value))]));
    for (const section of this.sections) section.update(image, () => this.load());
  }

  buttons(image) {
    const flip = (name, on, off) => this.button(image[name] ? off : on, () => patch(image.id, { op: "replace", path: `/${name}`, value: !image[name] }));
    const found = [flip("protected", "Protect", "Do not protect"), flip("os_hidden", "Hide", "Do not hide")];
    if (image.status === "active") found.push(this.button("Deactivate", () => call("POST", `images/${image.id}/actions/deactivate`)));
    if (image.status === "deactivated") found.push(this.button("Reactivate", () => call("POST", `images/${image.id}/actions/reactivate`)));
    if (!image.protected) {
      found.push(action("Delete", async () => {
        if (!confirm(`Delete ${image.name || image.id}?`)) return false;
        await call("DELETE", `images/${image.id}`);
        location.hash = "#/";
      }));
    }
    return found;
  }

  button(label, act) {
    return action(label, async () => {
      await act();
      await this.load();
    });
  }

  hear(kind, data) {
    if (kind === "reset") this.load();
    else if (data.id !== this.getAttribute("image")) return;
    else if (kind === "image.update") this.load();
    else if (kind === "image.delete" || kind === "image.gone") this.leave("This image is gone.");
  }
}

function shown(name, value) {
  if (name === "size" || name === "virtual_size") return [value === null ? "–" : `${size(value)} (${value} bytes)`];
  if (name === "created_at" || name === "updated_at") return [time(value)];
  const text = value === null ? "–" : String(value);
  return COPIED.has(name) && value ? [text, " ", copyButton(name, text)] : [text];
}

customElements.define("image-detail", ImageDetail);
