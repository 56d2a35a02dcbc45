// Keys and buttons of a review. What is said is on the command's disk before the next item shows.
"use strict";
const main = document.querySelector("main");
const keys = { u: "/undo", s: "/skip" };
let busy = false;

async function send(path, choice) {
  if (busy) return; // a second press would be about the next item, which nobody has seen
  busy = true;
  const fields = { key: main.dataset.key, choice };
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(fields),
    });
    if (answer.ok) {
      location.replace("/next");
      return;
    }
    tell(await answer.text());
  } catch {
    tell("Not kept: the command has ended. Start it again; all earlier labels are kept.");
  }
  busy = false;
}

function tell(text) {
  document.querySelector("#told").textContent = text;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const key = event.key.toLowerCase();
  if (main.dataset.begin) {
    if (key === "enter" && event.target === document.body) location.assign(main.dataset.begin);
    return;
  }
  const button = ["0", "1", "2"].includes(key)
    ? document.querySelector(`[data-choice="${key}"]`)
    : document.querySelector(`[data-act="${keys[key]}"]`);
  if (!button || button.disabled) return;
  event.preventDefault();
  button.classList.add("pressed");
  button.click();
});

for (const button of document.querySelectorAll("[data-choice]")) {
  button.addEventListener("click", () => send("/label", Number(button.dataset.choice)));
}
for (const button of document.querySelectorAll("[data-act]")) {
  button.addEventListener("click", () => send(button.dataset.act, 0));
}
