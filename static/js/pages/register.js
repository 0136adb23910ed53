// SPDX-License-Identifier: Apache-2.0
// The register's print button: only there where a script can print.

const button = /** @type {HTMLButtonElement} */ (document.getElementById("print"));
button.hidden = false;
button.addEventListener("click", () => window.print());
