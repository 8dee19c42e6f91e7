// The page: who is logged in, what is shown, and the events that keep it up to date.

import { call, follow, token } from "./api.js";
import { make, say } from "./elements.js";
import "./image-list.js";
import "./image-detail.js";

const main = document.getElementById("main");
const leave = document.getElementById("leave");
let stop = null;

function logIn() {
  const field = make("input", { name: "token", type: "password", required: true, autocomplete: "current-password" });
  const form = make("form", {}, make("label", {}, "Token", field), make("button", {}, "Log in"));
  form.onsubmit = async (event) => {
    event.preventDefault();
    token.set(field.value.trim());
    try {
      await call("GET", "images?limit=1");
      say("");
      begin();
    } catch (error) {
      token.drop();
      say(error.status === 401 ? "The service does not know this token." : error.message, true);
    }
  };
  leave.hidden = true;
  main.replaceChildren(form);
  field.focus();
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
  token.drop();
  say(text);
  logIn();
}

function route() {
  if (!token.get()) return logIn();
  const image = /^#\/image\/([^/]+)$/.exec(location.hash);
  main.replaceChildren(image ? make("image-detail", { "image": decodeURIComponent(image[1]) }) : make("image-list"));
  main.focus();
}

leave.onclick = () => end();
window.addEventListener("hashchange", route);
if (token.get()) begin();
else logIn();
