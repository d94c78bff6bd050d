// Shows the numbers of the marks of charts by pointer, touch and keyboard.
(() => {
  "use strict";

  const REACH = 32; // pixels; the farthest mark that a pointer or a tap chooses
  const KEYS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  const drawings = [...document.querySelectorAll(".drawing")].filter((each) => each.querySelector(".tips circle"));
  if (!drawings.length) return;

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.querySelector("main").append(tip);
  let chosen = null;

  const centre = (mark) => {
    const box = mark.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };

  function choose(mark) {
    if (mark === chosen) return;
    chosen?.classList.remove("on");
    chosen = mark;
    tip.hidden = !mark;
    if (!mark) return;
    mark.classList.add("on");
    tip.textContent = mark.querySelector("title").textContent;
    tip.style.left = tip.style.top = "0"; // full width before it is measured
    const [x, y] = centre(mark);
    const [width, height] = [tip.offsetWidth, tip.offsetHeight];
    const left = Math.min(Math.max(x - width / 2, 6), document.documentElement.clientWidth - width - 6);
    const top = y - height - 12 < 60 ? y + 12 : y - height - 12; // below the bar of sections
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${top + scrollY}px`;
  }

  for (const drawing of drawings) {
    const marks = [...drawing.querySelectorAll(".tips circle")];
    const nearest = ({ clientX, clientY }) => {
      const away = marks.map((mark) => {
        const [x, y] = centre(mark);
        return Math.hypot(x - clientX, y - clientY);
      });
      const least = Math.min(...away);
      return least <= REACH ? marks[away.indexOf(least)] : null;
    };
    drawing.tabIndex = 0;
    drawing.addEventListener("pointermove", (event) => event.pointerType === "mouse" && choose(nearest(event)));
    drawing.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && choose(null));
    drawing.addEventListener("click", (event) => choose(nearest(event)));
    drawing.addEventListener("blur", () => choose(null));
    drawing.addEventListener("keydown", (event) => {
      if (event.key === "Escape") choose(null);
      if (!(event.key in KEYS)) return;
      const at = marks.includes(chosen) ? marks.indexOf(chosen) + KEYS[event.key] : 0;
      choose(marks[Math.min(Math.max(at, 0), marks.length - 1)]);
      event.preventDefault();
    });
  }
})();
