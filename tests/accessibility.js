// Returns the faults of a page by WCAG 2.2 AA that a program can find: names, landmarks, headings, contrast, sizes.
const faults = [];
const shown = (element) => element.checkVisibility({ checkOpacity: false, checkVisibilityCSS: true });
const describe = (element) => `${element.tagName.toLowerCase()}.${element.className} "${(element.textContent || "").trim().slice(0, 40)}"`;
const fault = (what, element) => faults.push(`${what}: ${describe(element)}`);

const rgba = (text) => {
  const parts = text.match(/[\d.]+/g).map(Number);
  return [...parts.slice(0, 3), parts.length > 3 ? parts[3] : 1];
};
const over = (front, back) => front.slice(0, 3).map((value, i) => value * front[3] + back[i] * (1 - front[3]));
const luminance = (colour) => {
  const [r, g, b] = colour.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const chain = (element) => {
  const found = [];
  for (let each = element; each; each = each.parentElement) found.unshift(each);
  return found;
};
function contrast(element) {
  let back = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  let opacity = 1;
  for (const each of chain(element)) {
    const style = getComputedStyle(each);
    if (style.backgroundImage !== "none") return null; // not a plain colour
    back = over(rgba(style.backgroundColor), back);
    opacity *= Number(style.opacity);
  }
  const ink = rgba(getComputedStyle(element).color);
  const [low, high] = [luminance(over([...ink.slice(0, 3), ink[3] * opacity], back)), luminance(back)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

if (!document.documentElement.lang) faults.push("no language");
if (!document.title.trim()) faults.push("no title");
if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
let level = 0;
for (const heading of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
  if (!shown(heading)) continue;
  if (Number(heading.tagName[1]) > level + 1) fault("a heading skips a level", heading);
  level = Number(heading.tagName[1]);
}
const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
for (const id of new Set(ids.filter((each, place) => ids.indexOf(each) !== place))) faults.push(`id ${id} twice`);
for (const reference of ["aria-labelledby", "aria-controls", "aria-describedby", "for"]) {
  for (const element of document.querySelectorAll(`[${reference}]`)) {
    if (!element.getAttribute(reference).split(" ").every((id) => document.getElementById(id))) fault(`${reference} leads nowhere`, element);
  }
}
for (const image of document.querySelectorAll("img, svg[role=img]")) {
  if (!image.hasAttribute("alt") && !image.ariaLabel && image.ariaHidden !== "true") fault("no text for a picture", image);
}
const nameOf = (element) => [
  element.ariaLabel, element.textContent, element.title, element.getAttribute("aria-labelledby"),
  element.querySelector("img")?.alt, ...[...(element.labels ?? [])].map((label) => label.textContent),
].find((name) => name && name.trim());
for (const control of document.querySelectorAll("button, input, select, textarea, a[href], summary, [role=tab]")) {
  if (!shown(control)) continue;
  if (!nameOf(control)) fault("no name", control);
  const box = control.getBoundingClientRect();
  const isSmall = box.width > 0 && (box.height < 24 || box.width < 24);
  if (isSmall && control.tagName !== "A" && !control.closest("th") && Number(getComputedStyle(control).opacity)) fault(`a target of ${Math.round(box.width)} x ${Math.round(box.height)}`, control);
}
for (const head of document.querySelectorAll("th")) if (!head.scope) fault("no scope", head);
for (const box of document.querySelectorAll("body *")) {
  const style = getComputedStyle(box);
  const scrolls = ["auto", "scroll"].includes(style.overflowX) && box.scrollWidth > box.clientWidth + 2;
  if (scrolls && box.tabIndex < 0 && !box.querySelector("a[href], button, input")) fault("scrolls, but not by keyboard", box);
}
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !shown(element) || element.closest("svg, script, style, noscript, [disabled]")) continue;
  const style = getComputedStyle(element);
  const size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const found = contrast(element);
  if (found !== null && found < (isLarge ? 3 : 4.5)) fault(`contrast ${found.toFixed(2)}`, element);
}
return [...new Set(faults)];
