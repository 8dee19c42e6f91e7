// One image with all that the caller may see of it, and what can be done with it.

import { PATCH, call } from "./api.js";
import { make, say, size } from "./elements.js";

const COPIED = new Set(["id", "checksum", "os_hash_value"]);

class ImageDetail extends HTMLElement {
  connectedCallback() {
    this.load();
  }

  async load() {
    const id = this.getAttribute("image");
    try {
      this.image = await call("GET", `images/${id}`);
      this.show();
    } catch (error) {
      this.replaceChildren(make("p", { className: "bad" }, error.message));
    }
  }

  show() {
    const { image } = this;
    const values = Object.entries(image).filter(([name]) => !["self", "file", "schema", "locations"].includes(name)).sort();
    this.replaceChildren(
      make("h2", {}, image.name || image.id),
      make("div", { className: "actions" }, ...this.actions(image)),
      make("dl", {}, ...values.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, ...shown(name, value))])));
  }

  actions(image) {
    const flip = (name, on, off) => this.button(image[name] ? off : on, () =>
      call("PATCH", `images/${image.id}`, [{ op: "replace", path: `/${name}`, value: !image[name] }], PATCH));
    const found = [flip("protected", "Protect", "Do not protect"), flip("os_hidden", "Hide", "Do not hide")];
    if (image.status === "active") found.push(this.button("Deactivate", () => call("POST", `images/${image.id}/actions/deactivate`)));
    if (image.status === "deactivated") found.push(this.button("Reactivate", () => call("POST", `images/${image.id}/actions/reactivate`)));
    if (!image.protected) {
      found.push(this.button("Delete", async () => {
        if (!confirm(`Delete ${image.name || image.id}?`)) return;
        await call("DELETE", `images/${image.id}`);
        location.hash = "#/";
      }));
    }
    return found;
  }

  button(label, act) {
    const button = make("button", { type: "button" }, label);
    button.onclick = async () => {
      button.disabled = true;
      try {
        await act();
        say(`${label}: done.`);
        if (this.isConnected && location.hash.endsWith(this.image.id)) await this.load();
      } catch (error) {
        say(error.message, true);
        button.disabled = false;
      }
    };
    return button;
  }

  hear(kind, data) {
    if (kind === "reset" || (data.id === this.image?.id && kind === "image.update")) this.load();
    else if (data.id === this.image?.id) this.replaceChildren(make("p", {}, "This image is gone."));
  }
}

function shown(name, value) {
  if (name === "size" || name === "virtual_size") return [value === null ? "–" : `${size(value)} (${value} bytes)`];
  if (Array.isArray(value)) return [value.join(", ") || "–"];
  const text = value === null ? "–" : String(value);
  if (!COPIED.has(name) || value === null) return [text];
  const copy = make("button", { type: "button", "aria-label": `Copy ${name}` }, "Copy");
  copy.onclick = () => navigator.clipboard.writeText(text).then(() => say(`${name} is copied.`), () => say("The browser does not allow it.", true));
  return [text, " ", copy];
}

customElements.define("image-detail", ImageDetail);
