// SPDX-License-Identifier: Apache-2.0
/** Small means to paint with: make an element, keep a list in step, never touch what has not changed. */

const SPRITE = new URL("../../vendor/icons.svg", import.meta.url).pathname;
const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Make an element.
 * @param {string} tag with classes: "button.button.button-small"
 * @param {Record<string, unknown>} [attributes] `on` + name: a listener; true: bare; false, null: absent
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), /** @type {EventListener} */ (value));
    else setAttribute(element, key, value);
  }
  element.append(...children.filter(isThere).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

/** @param {Child} child @returns {child is Node | string | number} */
function isThere(child) {
  return child !== null && child !== undefined && child !== false;
}

/**
 * @param {Element} element
 * @param {string} key
 * @param {unknown} value true: bare; false, null, undefined: absent
 */
export function setAttribute(element, key, value) {
  const text = value === true ? "" : String(value);
  if (value === false || value === null || value === undefined) element.removeAttribute(key);
  else if (element.getAttribute(key) !== text) element.setAttribute(key, text);
}

/**
 * @param {Element | null} element
 * @param {string | number} text
 */
export function setText(element, text) {
  if (element && element.textContent !== String(text)) element.textContent = String(text);
}

/**
 * @param {string} name of an icon in scripts/vendor.mjs
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${SPRITE}#${name}`);
  svg.append(use);
  return svg;
}

/**
 * Show another icon in a button that has one.
 * @param {Element | null | undefined} holder
 * @param {string} name
 */
export function setIcon(holder, name) {
  const use = holder?.querySelector("use");
  if (use) setAttribute(use, "href", `${SPRITE}#${name}`);
}

/**
 * Keep an element's children in step with a list. Children that stay are not made again, so focus,
 * a finger that is going down, and pictures stay where they are.
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => HTMLElement} make
 * @param {(element: HTMLElement, item: T, index: number) => void} [update] also called right after make
 */
export function keyed(parent, items, keyOf, make, update) {
  const old = new Map([...parent.children].map((child) => [/** @type {HTMLElement} */ (child).dataset.key, child]));
  items.forEach((item, index) => {
    const key = keyOf(item);
    let element = /** @type {HTMLElement | undefined} */ (old.get(key));
    old.delete(key);
    if (!element) {
      element = make(item);
      element.dataset.key = key;
    }
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
    update?.(element, item, index);
  });
  for (const child of old.values()) child.remove();
}

/**
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement} the element that the page's template must have
 */
export function one(root, selector) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`this page has no ${selector}`);
  return /** @type {HTMLElement} */ (found);
}

/** @returns {any} what the server put into the page */
export function pageData() {
  return JSON.parse(document.getElementById("page-data")?.textContent ?? "{}");
}
