// The page: who is logged in, what is shown, and the events that keep it up to date.

import { call, follow, hasPasswords, logIn, logOut, me, meet, token } from "./api.js";
import { field, make, say, tell } from "./elements.js";
import "./admin-page.js";
import "./deleted-images.js";
import "./image-detail.js";
import "./image-import.js";
import "./image-list.js";
import "./upload-list.js";

const PAGES = [
  [/^#\/image\/([^/]+)$/, (id) => make("image-detail", { image: decodeURIComponent(id) })],
  [/^#\/import$/, () => make("image-import")],
  [/^#\/deleted$/, () => make("deleted-images")],
  [/^#\/admin$/, () => make("admin-page")],
  [/^/, () => make("image-list")],
];

const [main, nav, uploads, leave] = ["main", "nav", "uploads", "leave"].map((id) => document.getElementById(id));
let stop = null;

function form(label, fields, enter) {
  const inputs = fields.map(([name, title, type, required]) =>
    field(title, name, { type, required, autocomplete: type === "password" ? "current-password" : "on" }));
  const made = make("form", { "aria-label": label }, ...inputs, make("button", {}, "Log in"));
  made.onsubmit = async (event) => {
    event.preventDefault();
    try {
      await enter(Object.fromEntries(new FormData(made)));
      await call("GET", "images?limit=1");
      say("");
      begin();
    } catch (error) {
      logOut();
      say(error.status === 401 ? "The service does not know these credentials." : error.message, true);
    }
  };
  return made;
}

async function ask() {
  leave.hidden = nav.hidden = true;
  const byToken = form("Log in by token", [["token", "Token", "password", true]], (values) => token.set(values.token.trim()));
  main.replaceChildren(byToken);
  byToken.elements.token.focus();
  if (!(await hasPasswords()) || !byToken.isConnected) return;
  const fields = [["user", "User", "text", true], ["password", "Password", "password", true], ["project", "Project, if there are several", "text", false]];
  byToken.before(form("Log in by password", fields, (values) => logIn(values.user, values.password, values.project)));
}

async function begin() {
  leave.hidden = nav.hidden = false;
  const mine = stop = new AbortController();
  follow(tell, mine.signal).then(() => { if (!mine.signal.aborted) check(); });
  route();
  await meet();
  if (mine.signal.aborted) return;
  document.getElementById("admin").hidden = !me.isAdmin;
  tell("met", {});
  uploads.recall();
}

// The stream was refused: the token may have ended.
async function check() {
  try {
    await call("GET", "images?limit=1");
  } catch (error) {
    if (error.status === 401) end("The token has ended.");
  }
}

function end(text = "") {
  stop?.abort();
  stop = null;
  uploads.leave();
  logOut();
  say(text);
  ask();
}

function route() {
  if (!token.get()) return ask();
  const [form, page] = PAGES.find(([each]) => each.test(location.hash));
  main.replaceChildren(page(...form.exec(location.hash).slice(1)));
  for (const link of nav.children) {
    if (link.hash === (location.hash || "#/")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.focus();
}

leave.onclick = () => end();
window.addEventListener("hashchange", () => { say(""); route(); });
if (token.get()) begin();
else ask();
