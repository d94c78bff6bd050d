// Draws linked maps: hides and filters points, and shows the images of a chosen one by pointer, touch and keyboard.
(() => {
  "use strict";

  const [MARGIN, REACH, LARGEST_ZOOM] = [14, 24, 16]; // pixels; the farthest point that a tap chooses
  const SHAPES = { generated: "M0-4.6 4.3 3.2H-4.3z", real: "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0" };
  const RING = "M-9 0a9 9 0 1 0 18 0a9 9 0 1 0-18 0";
  const DIRECTIONS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

  const isOn = (button) => button.ariaPressed === "true";
  const cellsOf = (filter) => filter.split(" ").map((cell) => cell.split(":").map(Number));

  function path(parent, name, shape) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", "path");
    element.setAttribute("class", name);
    element.setAttribute("d", shape);
    parent.append(element);
    return element;
  }

  function load(sprite) {
    const image = new Image();
    image.src = sprite.uri;
    return { ...sprite, image };
  }

  function draw(context, { image, columns, width, height }, index) {
    const [x, y] = [(index % columns) * width, Math.floor(index / columns) * height];
    context.drawImage(image, x, y, width, height, 0, 0, context.canvas.width, context.canvas.height);
  }

  // A picture of one image, or of the absolute difference of several.
  function picture(alternative, caption, ...layers) {
    const [figure, canvas, words] = ["figure", "canvas", "figcaption"].map((name) => document.createElement(name));
    [canvas.width, canvas.height] = [layers[0][0].width, layers[0][0].height];
    canvas.setAttribute("role", "img");
    canvas.ariaLabel = alternative;
    words.textContent = caption;
    figure.append(canvas, words);
    const context = canvas.getContext("2d");
    Promise.all(layers.map(([sprite]) => sprite.image.decode())).then(() => {
      for (const [sprite, index] of layers) {
        draw(context, sprite, index);
        context.globalCompositeOperation = "difference";
      }
      canvas.dataset.drawn = "";
    });
    return figure;
  }

  function link(maps) {
    const find = (selector) => maps.querySelector(selector);
    const findAll = (selector) => [...maps.querySelectorAll(selector)];
    const data = JSON.parse(find("script[type='application/json']").textContent);
    const { names, labels, generated, predicted, nearest } = data;
    const indices = [...labels.keys()];
    const sprites = { images: load(data.images), training: nearest && load(nearest.images) };
    const buttons = findAll(".legend [aria-pressed]");
    const message = find(".filter span");
    const clear = find(".filter button");
    const images = find(".images");
    const about = find(".about");
    const origin = (index) => (generated[index] ? "generated" : "real");

    let cells = null; // of the filter: pairs of label and predicted class, or labels alone
    let chosen = null;
    let hovered = null;
    let zoom = 1;

    const planes = findAll(".plot").map((svg) => {
      const plane = { svg, ...data.planes[svg.dataset.plane] };
      plane.centre = [plane.width / 2, plane.height / 2];
      plane.ring = path(svg, "ring off", RING);
      plane.halo = path(svg, "ring thin off", RING);
      plane.marks = indices.map((index) => {
        const mark = path(svg, origin(index), SHAPES[origin(index)]);
        mark.style.setProperty("--colour", data.colours[index]);
        mark.dataset.index = index;
        return mark;
      });
      return plane;
    });
    const visible = () => planes.find(({ svg }) => svg.clientWidth);

    const move = (plane, mark, index) =>
      mark.setAttribute("transform", `translate(${plane.at(index).map((each) => each.toFixed(2)).join(" ")}) scale(${plane.size})`);

    // The scale depends on all points, so that it stays when some are hidden.
    function place(plane) {
      const [width, height] = [plane.svg.clientWidth, plane.svg.clientHeight];
      if (!width) return;
      const fit = Math.min((width - 2 * MARGIN) / plane.width || Infinity, (height - 2 * MARGIN) / plane.height || Infinity);
      plane.scale = zoom * fit;
      plane.size = Math.min(Math.max(width / 600, 0.65), 1); // of the marks: smaller on a phone
      plane.at = (index) => [
        width / 2 + (plane.x[index] - plane.centre[0]) * plane.scale,
        height / 2 + (plane.y[index] - plane.centre[1]) * plane.scale,
      ];
      plane.marks.forEach((mark, index) => move(plane, mark, index));
      if (chosen !== null) move(plane, plane.ring, chosen);
      plane.svg.classList.toggle("zoomed", zoom > 1);
    }

    const isShown = (index) =>
      buttons.filter(isOn).some((button) => button.dataset.origin === origin(index)) &&
      buttons.filter(isOn).some((button) => button.dataset.label?.split(" ").includes(String(labels[index])));
    const isInside = (index) =>
      !cells || cells.some(([label, found]) => labels[index] === label && (found === undefined || predicted?.[index] === found));
    let choosable = indices;

    function update() {
      const shown = new Set(indices.filter(isShown));
      choosable = [...shown].filter(isInside);
      const inside = new Set(choosable);
      for (const { marks } of planes) {
        marks.forEach((mark, index) => {
          mark.classList.toggle("off", !shown.has(index));
          mark.classList.toggle("out", !inside.has(index));
        });
      }
      if (chosen !== null && !inside.has(chosen)) choose(null);
      const [samples, real] = ["generated", "real"].map((each) => choosable.filter((index) => origin(index) === each).length);
      const words = (cells ?? []).map(([label, found]) => (found === undefined ? names[label] : `${names[label]} classified as ${names[found]}`));
      message.textContent = cells ? `Only ${words.join(", ")}: ${samples} generated, ${real} real.` : "";
      clear.hidden = !cells;
      for (const button of findAll(".confusion button")) button.ariaPressed = String(Boolean(cells) && button.dataset.filter === maps.dataset.filter);
    }

    function filter(text) {
      maps.dataset.filter = text ?? "";
      cells = text ? cellsOf(text) : null;
      if (text) for (const button of buttons) button.ariaPressed = "true"; // what is asked for is shown
      update();
    }

    function show(index) {
      images.hidden = index === null;
      if (index === null) {
        about.textContent = "No point is chosen.";
        return;
      }
      const label = names[labels[index]];
      const lines = [generated[index] ? `Generated, conditioned on ${label}.` : `Real, labelled ${label}.`];
      if (predicted) lines.push(`Classified as ${names[predicted[index]]}${data.confidence ? ` (${data.confidence[index].toFixed(2)})` : ""}.`);
      const pictures = [picture(`${origin(index)}: ${label}`, "this image", [sprites.images, index])];
      nearest?.index[index].forEach((training, rank) => {
        const [name, distance] = [names[nearest.labels[training]], nearest.distance[index][rank].toFixed(1)];
        const caption = `${rank ? `nearest training image ${rank + 1}` : "nearest training image"}: ${name}, ${distance}`;
        pictures.push(picture(`training image: ${name}`, caption, [sprites.training, training]));
        if (rank) return;
        lines.push(`Nearest training image: ${name}, ${distance} ${nearest.unit} away.`);
        pictures.push(picture("absolute difference from the nearest training image", "difference (black: none)", [sprites.images, index], [sprites.training, training]));
      });
      about.textContent = lines.join("\n");
      images.replaceChildren(...pictures);
    }

    // Shows a point under the pointer, unspoken, until the pointer leaves it.
    function hover(plane, index) {
      if (index === hovered) return;
      hovered = index;
      plane.halo.classList.toggle("off", index === null);
      if (index !== null) move(plane, plane.halo, index);
      about.ariaLive = "off";
      show(index ?? chosen);
    }

    function choose(index) {
      chosen = index;
      about.ariaLive = "polite";
      for (const plane of planes) {
        plane.ring.classList.toggle("off", index === null);
        if (index === null) continue;
        plane.svg.append(plane.marks[index], plane.ring); // above the others
        if (zoom > 1 && plane.at) {
          const [x, y] = plane.at(index);
          const isOutside = x < 0 || y < 0 || x > plane.svg.clientWidth || y > plane.svg.clientHeight;
          if (isOutside) plane.centre = [plane.x[index], plane.y[index]];
        }
        place(plane);
      }
      show(index);
    }

    function magnify(factor) {
      zoom = factor ? Math.min(Math.max(zoom * factor, 1), LARGEST_ZOOM) : 1;
      for (const plane of planes) {
        if (zoom === 1) plane.centre = [plane.width / 2, plane.height / 2];
        else if (chosen !== null) plane.centre = [plane.x[chosen], plane.y[chosen]];
        place(plane);
      }
    }

    function step(by) {
      if (!choosable.length) return;
      const at = choosable.indexOf(chosen);
      choose(choosable[at < 0 ? 0 : (at + by + choosable.length) % choosable.length]);
    }

    // The nearest point within 45 degrees of a direction; those ahead before those beside.
    function towards(plane, [dx, dy]) {
      const from = chosen === null ? plane.centre : [plane.x[chosen], plane.y[chosen]];
      let [best, least] = [null, Infinity];
      for (const index of choosable) {
        const [x, y] = [plane.x[index] - from[0], plane.y[index] - from[1]];
        const [along, across] = [x * dx + y * dy, Math.abs(x * dy) + Math.abs(y * dx)];
        const cost = chosen === null ? Math.hypot(x, y) : Math.hypot(along, 2 * across);
        if ((chosen === null || (along > 0 && across <= along)) && cost < least) [best, least] = [index, cost];
      }
      if (best !== null) choose(best);
    }

    function hit(plane, event) {
      const box = plane.svg.getBoundingClientRect();
      const [x, y] = [event.clientX - box.x - plane.svg.clientLeft, event.clientY - box.y - plane.svg.clientTop];
      let [best, least] = [null, REACH];
      for (const index of choosable) {
        const [ownX, ownY] = plane.at(index);
        const distance = Math.hypot(ownX - x, ownY - y);
        if (distance <= least) [best, least] = [index, distance];
      }
      return best;
    }

    function onKey(plane, event) {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const actions = {
        PageDown: () => step(1),
        PageUp: () => step(-1),
        Home: () => choosable.length && choose(choosable[0]),
        End: () => choosable.length && choose(choosable.at(-1)),
        Escape: () => choose(null),
        "+": () => magnify(2),
        "-": () => magnify(0.5),
      };
      if (event.key in DIRECTIONS) towards(plane, DIRECTIONS[event.key]);
      else if (event.key in actions) actions[event.key]();
      else return;
      event.preventDefault();
    }

    function onDrag(plane, event) {
      if (zoom === 1 || !event.buttons) return false;
      plane.centre = [plane.centre[0] - event.movementX / plane.scale, plane.centre[1] - event.movementY / plane.scale];
      place(plane);
      return true;
    }

    for (const plane of planes) {
      let dragged = 0;
      plane.svg.addEventListener("keydown", (event) => onKey(plane, event));
      plane.svg.addEventListener("pointerdown", () => { dragged = 0; });
      plane.svg.addEventListener("pointermove", (event) => {
        if (onDrag(plane, event)) dragged += Math.hypot(event.movementX, event.movementY);
        else if (event.pointerType === "mouse") hover(plane, hit(plane, event));
      });
      plane.svg.addEventListener("pointerleave", () => hover(plane, null));
      plane.svg.addEventListener("click", (event) => { if (dragged < 5) choose(hit(plane, event)); });
      new ResizeObserver(() => place(plane)).observe(plane.svg);
    }
    const press = (some, value) => {
      for (const button of some) button.ariaPressed = String(value(button));
      update();
    };
    for (const button of buttons) button.addEventListener("click", () => press([button], (each) => !isOn(each)));
    find(".everything").addEventListener("click", () => press(buttons, () => true));
    for (const button of findAll("[data-zoom]")) button.addEventListener("click", () => magnify(Number(button.dataset.zoom)));
    for (const button of findAll("[data-step]")) button.addEventListener("click", () => step(Number(button.dataset.step)));
    for (const button of findAll(".confusion button")) {
      button.addEventListener("click", () => {
        filter(isOn(button) ? null : button.dataset.filter);
        find(".filter").scrollIntoView({ block: "nearest" }); // the map is above the matrix
      });
    }
    for (const anchor of document.querySelectorAll(`a[data-filter][href="#${CSS.escape(maps.id)}"]`)) {
      anchor.addEventListener("click", () => filter(anchor.dataset.filter));
    }
    clear.addEventListener("click", () => {
      filter(null);
      visible()?.svg.focus();
    });
    update();
  }

  for (const maps of document.querySelectorAll(".maps")) link(maps);
})();
