// Plays the frames of a film: one at a time, with a button and a slider; still where less motion is wanted.
(() => {
  "use strict";

  const [FRAME, LAST_FRAME] = [500, 2500]; // milliseconds
  const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");

  for (const film of document.querySelectorAll(".film")) {
    const frames = [...film.querySelectorAll("img")];
    const [button, slider, name] = ["button", "input", "output"].map((each) => film.querySelector(each));
    const last = frames.length - 1;
    let timer = 0;

    const show = (index) => {
      frames.forEach((frame, i) => { frame.hidden = i !== index; });
      slider.value = index;
      slider.setAttribute("aria-valuetext", frames[index].alt);
      name.textContent = frames[index].alt;
    };
    const wait = () => {
      const index = Number(slider.value);
      timer = setTimeout(() => { show(index === last ? 0 : index + 1); wait(); }, index === last ? LAST_FRAME : FRAME);
    };
    const play = (isOn) => {
      clearTimeout(timer);
      timer = 0;
      button.textContent = isOn ? "Pause" : "Play";
      if (!isOn) return;
      for (const frame of frames) frame.loading = "eager";
      wait();
    };

    button.addEventListener("click", () => play(!timer));
    slider.addEventListener("input", () => { play(false); show(Number(slider.value)); });
    lessMotion.addEventListener("change", () => { if (lessMotion.matches) play(false); });
    film.querySelector(".controls").hidden = false;
    show(last);
    play(!lessMotion.matches);
  }
})();
