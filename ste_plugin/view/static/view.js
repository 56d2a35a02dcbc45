// Keys: each link says by data-key which ones it answers to; j and k walk the rows of a list.
"use strict";

function step(rows, by) {
  const at = rows.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1);
  rows[next].focus();
  rows[next].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
  const inScroller = event.target.closest(".scroll") && event.key.startsWith("Arrow");
  if (inScroller) return;
  const rows = [...document.querySelectorAll(".row .main-link")];
  const target = [...document.querySelectorAll("[data-key]")].find((element) =>
    element.dataset.key.split(" ").includes(event.key),
  );
  if (target) {
    event.preventDefault();
    if (target.tagName === "INPUT") target.focus();
    else target.click();
  } else if (rows.length && (event.key === "j" || event.key === "k")) {
    event.preventDefault();
    step(rows, event.key === "j" ? 1 : -1);
  }
});

if (window.matchMedia("(max-width: 60rem)").matches) {
  document.querySelector("details.filters")?.removeAttribute("open");
}
