// Sorts tables, switches between tabs, expands what a link leads to, and marks the section in view.
(() => {
  "use strict";

  const numberOf = (cell) => (cell.dataset.key ? Number(cell.dataset.key) : NaN);

  function sort(table, index, descending) {
    const body = table.tBodies[0];
    const byNumber = table.tHead.rows[0].cells[index].classList.contains("number");
    const sign = descending ? -1 : 1;
    const compare = (one, other) => {
      const [a, b] = [one.cells[index], other.cells[index]];
      if (!byNumber) return sign * a.textContent.localeCompare(b.textContent, "en", { numeric: true });
      const [x, y] = [numberOf(a), numberOf(b)];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // unknown values come last
      return x === y ? 0 : sign * (x < y ? -1 : 1);
    };
    body.append(...[...body.rows].sort(compare));
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const descending = head.ariaSort === "ascending";
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        head.ariaSort = descending ? "descending" : "ascending";
        sort(table, index, descending);
      });
    });
  }

  function choose(tabs, chosen) {
    for (const tab of tabs) {
      const isChosen = tab === chosen;
      tab.ariaSelected = String(isChosen);
      tab.tabIndex = isChosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
    }
  }

  const STEPS = { ArrowRight: 1, ArrowLeft: -1 };
  for (const list of document.querySelectorAll("[role=tablist]")) {
    const tabs = [...list.querySelectorAll("[role=tab]")];
    for (const tab of tabs) tab.addEventListener("click", () => choose(tabs, tab));
    list.addEventListener("keydown", (event) => {
      if (!(event.key in STEPS)) return;
      const next = tabs[(tabs.indexOf(document.activeElement) + STEPS[event.key] + tabs.length) % tabs.length];
      choose(tabs, next);
      next.focus();
      event.preventDefault();
    });
  }

  // Expands collapsed elements around the target of a link.
  function expand() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let fold = target?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target?.scrollIntoView();
  }
  window.addEventListener("hashchange", expand);
  if (location.hash) expand();

  // Marks the section in view in the bar, and keeps its link visible there.
  const links = new Map(
    [...document.querySelectorAll("#contents a")].map((link) => [document.getElementById(link.hash.slice(1)), link]),
  );
  const inView = new Set();
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) inView[isIntersecting ? "add" : "delete"](target);
      const current = [...links.keys()].find((section) => inView.has(section));
      for (const [section, link] of links) {
        if (section !== current) link.removeAttribute("aria-current");
        else if (!link.ariaCurrent) {
          link.ariaCurrent = "true";
          const list = link.closest("ul");
          list.scrollLeft = link.parentElement.offsetLeft - list.clientWidth / 2;
        }
      }
    },
    { rootMargin: "-70px 0px -60% 0px" },
  );
  for (const section of links.keys()) watcher.observe(section);

  // Fades the right edge of wide elements while they can be scrolled further, and lets the keyboard scroll them.
  const boxes = [...document.querySelectorAll(".scroll")];
  const fade = (box) => {
    box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
    if (box.scrollWidth > box.clientWidth + 2) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };
  const observer = new ResizeObserver((entries) => entries.forEach((entry) => fade(entry.target)));
  for (const box of boxes) {
    box.addEventListener("scroll", () => fade(box), { passive: true });
    fade(box);
    observer.observe(box);
  }
})();
