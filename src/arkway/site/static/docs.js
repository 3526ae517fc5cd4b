// What the pages do beyond HTML: copy code, search while typing, show where the reader is.
// Without it everything still works; the search form is an ordinary one.
"use strict";

const root = document.body.dataset.root;
const field = document.querySelector('header input[name="q"]');

// On wide screens the list of pages is always open; a phone opens it.
const pages = document.querySelector(".pages details");
const wide = window.matchMedia("(min-width: 48.01rem)");
const unfold = () => { pages.open = wide.matches; };
wide.addEventListener("change", unfold);
unfold();

for (const block of document.querySelectorAll(".code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(block.querySelector("code"));
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  block.append(button);
}

// Search while typing: a combobox over the JSON of the search page.
const list = document.createElement("ul");
list.id = "suggestions";
list.hidden = true;
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "Results");
field.after(list);
field.setAttribute("role", "combobox");
field.setAttribute("aria-controls", list.id);
field.setAttribute("aria-autocomplete", "list");
field.setAttribute("aria-expanded", "false");
let chosen = -1;
let waiting;
let asked = 0;

function choose(at) {
  chosen = at;
  [...list.children].forEach((item, index) => {
    item.setAttribute("aria-selected", String(index === at));
    if (index === at) item.scrollIntoView({ block: "nearest" });
  });
  if (at < 0) field.removeAttribute("aria-activedescendant");
  else field.setAttribute("aria-activedescendant", list.children[at].id);
}

function show(results) {
  list.replaceChildren(...results.slice(0, 8).map((result, index) => {
    const item = document.createElement("li");
    const where = document.createElement("small");
    item.id = `suggestion-${index}`;
    item.setAttribute("role", "option");
    item.textContent = result.title;
    where.textContent = result.page;
    item.append(where);
    item.addEventListener("pointerdown", (event) => event.preventDefault());
    item.addEventListener("click", () => { location.href = root + result.url; });
    return item;
  }));
  list.hidden = results.length === 0;
  field.setAttribute("aria-expanded", String(!list.hidden));
  choose(-1);
}

async function suggest() {
  const mine = ++asked;
  const query = field.value.trim();
  if (query.length < 2) return show([]);
  try {
    const answer = await fetch(`${root}search?typing=1&q=${encodeURIComponent(query)}`,
      { headers: { Accept: "application/json" } });
    const { results } = await answer.json();
    if (mine === asked && document.activeElement === field) show(results);
  } catch {
    show([]); // the form still works
  }
}

field.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(suggest, 120);
});
field.addEventListener("blur", () => show([]));
field.addEventListener("keydown", (event) => {
  const count = list.hidden ? 0 : list.children.length;
  if (event.key === "Escape") {
    if (count) show([]);
    else field.blur();
  } else if (count && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    choose((chosen + step + count + (chosen < 0 && step < 0 ? 1 : 0)) % count);
  } else if (event.key === "Enter" && count && chosen >= 0) {
    event.preventDefault();
    list.children[chosen].click();
  }
});
document.addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    field.focus();
    field.select();
  }
});

// Mark the section being read in the page's own contents.
const entries = new Map();
for (const link of document.querySelectorAll(".here a")) {
  const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (heading) entries.set(heading, link);
}
const mark = () => {
  let current;
  for (const [heading, link] of entries) {
    link.classList.remove("is-here");
    if (heading.getBoundingClientRect().top < 120) current = link;
  }
  if (current) current.classList.add("is-here");
};
document.addEventListener("scroll", mark, { passive: true });
mark();
