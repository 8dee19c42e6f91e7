// The recycle bin: deleted images that can still be restored.

import { call } from "./api.js";
import { Live, action, make, refill, size, table, time } from "./elements.js";

const PAGE = 100;

class DeletedImages extends Live {
  begin() {
    this.images = [];
    this.rows = make("div");
    this.append(make("h2", {}, "Deleted images"), make("p", {}, "They can be restored for a while, where the service keeps deleted images."), this.rows);
    this.load();
  }

  async load() {
    this.images = [];
    await this.more(`images?status=pending_delete&limit=${PAGE}`);
  }

  async more(path) {
    const page = await call("GET", path).catch((error) => ({ images: [], error }));
    this.images.push(...page.images);
    const rows = this.images.map((image) => [image.name || image.id, size(image.size), time(image.os_glance_scrub_at), this.buttons(image)]);
    refill(this.rows, ...(page.error ? [make("p", { className: "bad" }, page.error.message)] : []),
      table("Deleted images", ["Name", "Size", "Gone after", ""], rows), ...(page.next ? [action("More", () => this.more(page.next))] : []));
  }

  buttons(image) {
    const name = image.name || image.id;
    const act = (what) => async () => {
      await call("POST", `images/${image.id}/actions/${what}`);
      await this.load();
    };
    const purge = async () => (confirm(`Remove ${name} for good?`) ? act("purge")() : false);
    return [action("Restore", act("restore"), `Restore ${name}`), " ", action("Remove", purge, `Remove ${name} for good`)];
  }

  hear(kind) {
    if (kind === "image.delete" || kind === "reset") this.load();
  }
}

customElements.define("deleted-images", DeletedImages);
