// The projects with which an image is shared, and their answers.

import { call, me } from "./api.js";
import { Live, action, field, form, make, refill, table } from "./elements.js";

class ImageSharing extends Live {
  begin() {
    this.rows = make("div");
    this.adding = form("Share", [field("Project", "member", { required: true, maxLength: 255 })], "Share", async ({ member }, made) => {
      await call("POST", this.path, { member });
      made.reset();
      await this.load();
    });
    this.append(make("h3", {}, "Sharing"), this.rows, this.adding);
  }

  get path() {
    return `images/${this.image.id}/members`;
  }

  update(image) {
    const isOther = this.image?.visibility !== image.visibility || this.image?.owner !== image.owner;
    this.image = image;
    if (isOther) this.load();
  }

  async load() {
    this.adding.hidden = this.image.visibility !== "shared" || !this.mayShare;
    if (this.image.visibility !== "shared") {
      this.rows.replaceChildren(make("p", {}, "Only an image with the visibility shared can be shared with projects."));
      return;
    }
    try {
      const { members } = await call("GET", this.path);
      refill(this.rows, table("Members", ["Project", "Answer", ""], members.map((each) => [each.member_id, each.status, this.buttons(each)])));
    } catch (error) {
      this.rows.replaceChildren(make("p", { className: "bad" }, error.message));
    }
  }

  // Where the service does not say who the user is, all is offered and it refuses.
  get mayShare() {
    return me.isAdmin || me.project === null || me.project === this.image.owner;
  }

  buttons({ member_id: member, status }) {
    const path = `${this.path}/${encodeURIComponent(member)}`;
    const found = [];
    const add = (label, act) => found.push(action(label, async () => { await act(); await this.load(); }, `${label} ${member}`), " ");
    if (me.isAdmin || me.project === null || me.project === member) {
      for (const [label, answer] of [["Accept", "accepted"], ["Reject", "rejected"]]) {
        if (status !== answer) add(label, () => call("PUT", path, { status: answer }));
      }
    }
    if (this.mayShare) add("Remove", () => call("DELETE", path));
    return found;
  }

  hear(kind, data) {
    if (this.image && (kind === "met" || kind === "reset" || (kind.startsWith("image.member.") && data.image_id === this.image.id))) this.load();
  }
}

customElements.define("image-sharing", ImageSharing);
