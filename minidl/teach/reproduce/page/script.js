"use strict";
const filter = document.querySelector("#filter");
const contents = document.querySelector("nav details");
const wide = matchMedia("(min-width: 62rem)");

// Rows whose verdict is not ticked are hidden, and sections and chapters in which nothing is left.
function show() {
  const kept = [...filter.querySelectorAll("input:checked")].map(box => box.value);
  for (const row of document.querySelectorAll("[data-verdict]")) row.hidden = !kept.includes(row.dataset.verdict);
  for (const part of document.querySelectorAll(".part")) part.hidden = !part.querySelector("[data-verdict]:not([hidden])");
  reach();
}

// What can be scrolled sideways is reached by the Tab key, and nothing else is.
function reach() {
  for (const box of document.querySelectorAll(".scroll")) box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1;
}

// On a narrow screen the contents are a line until they are asked for.
function fold() {
  contents.open = wide.matches;
}

filter.hidden = false;
filter.addEventListener("change", show);
contents.addEventListener("click", event => {
  if (event.target.closest("a")) fold();
});
wide.addEventListener("change", fold);
addEventListener("resize", reach);
fold();
show();
