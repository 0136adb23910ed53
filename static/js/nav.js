// SPDX-License-Identifier: Apache-2.0
/* On a phone the menu and the tabs scroll sideways: the page one is on is brought into their middle. */
for (const here of document.querySelectorAll(".site-nav [aria-current], .reg-tabs [aria-current]")) {
  const strip = here.parentElement;
  if (!strip) continue;
  const [inner, outer] = [here.getBoundingClientRect(), strip.getBoundingClientRect()];
  strip.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
}
