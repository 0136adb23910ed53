// SPDX-License-Identifier: Apache-2.0
// The operator's page works without this. With it, the page notices by itself when a poll opens or
// closes, and adds the hands up while they are typed.

const EVERY_MS = 3000;

const page = /** @type {HTMLElement} */ (document.getElementById("operate"));
const fields = /** @type {HTMLInputElement[]} */ ([...page.querySelectorAll("input[name=hands]")]);

/** Whether people were typed that are not saved yet: then the page must not go away by itself. */
function peopleAreTyped() {
  const people = /** @type {HTMLInputElement | null} */ (page.querySelector("input[name=people]"));
  return people !== null && people.value !== people.defaultValue;
}

/** Whether hands were typed that are not saved yet. */
function handsAreTyped() {
  return fields.some((field) => field.value !== field.defaultValue);
}

function addUp() {
  const sum = fields.reduce((soFar, field) => soFar + (Number.parseInt(field.value, 10) || 0), 0);
  const output = /** @type {HTMLOutputElement} */ (document.getElementById("sum"));
  output.textContent = String(sum);
  /** @type {HTMLElement} */ (output.parentElement).hidden = false;
}

/** Load the page again when what it shows is no longer so. A poll that is gone takes its form with it. */
async function look() {
  try {
    const answer = await fetch(/** @type {string} */ (page.dataset.state), { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const now = await answer.json();
      const pollChanged = (now.poll ?? "") !== page.dataset.poll;
      const connected = now.connected ? "yes" : "no";
      const otherChanged = now.phase !== page.dataset.phase || connected !== page.dataset.connected;
      // Hands typed for a poll that has closed can no longer be saved, so they do not hold the page.
      if (!peopleAreTyped() && (pollChanged || (otherChanged && !handsAreTyped()))) {
        location.replace(location.pathname);
        return;
      }
    }
  } catch {
    // The line is down: the next look may find it up again.
  }
  setTimeout(look, EVERY_MS);
}

if (fields.length > 0) {
  for (const field of fields) field.addEventListener("input", addUp);
  addUp();
}
setTimeout(look, EVERY_MS);
