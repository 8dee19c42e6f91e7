// The page: who is logged in, what is shown, and the events that keep it up to date.

import { call, follow, hasPasswords, logIn, logOut, token } from "./api.js";
import { make, say } from "./elements.js";
import "./image-list.js";
import "./image-detail.js";

const main = document.getElementById("main");
const leave = document.getElementById("leave");
let stop = null;

function form(label, fields, enter) {
  const inputs = fields.map(([name, title, type, required]) =>
    make("label", {}, title, make("input", { name, type, required, autocomplete: type === "password" ? "current-password" : "on" })));
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
  leave.hidden = true;
  const byToken = form("Log in by token", [["token", "Token", "password", true]], (values) => token.set(values.token.trim()));
  main.replaceChildren(byToken);
  byToken.elements.token.focus();
  if (!(await hasPasswords()) || !byToken.isConnected) return;
  const fields = [["user", "User", "text", true], ["password", "Password", "password", true], ["project", "Project, if there are several", "text", false]];
  byToken.before(form("Log in by password", fields, (values) => logIn(values.user, values.password, values.project)));
}

function begin() {
  leave.hidden = false;
  stop = new AbortController();
  follow((kind, data) => main.firstElementChild?.hear?.(kind, data), stop.signal).then(() => { if (!stop?.signal.aborted) check(); });
  route();
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
  logOut();
  say(text);
  ask();
}

function route() {
  if (!token.get()) return ask();
  const image = /^#\/image\/([^/]+)$/.exec(location.hash);
  main.replaceChildren(image ? make("image-detail", { "image": decodeURIComponent(image[1]) }) : make("image-list"));
  main.focus();
}

leave.onclick = () => end();
window.addEventListener("hashchange", route);
if (token.get()) begin();
else ask();
