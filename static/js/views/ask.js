// SPDX-License-Identifier: Apache-2.0
/** The form of a question: one line until somebody begins to type, and always one empty option more. */

import { t } from "../i18n.js";
import { h, setAttribute } from "./dom.js";
import { letter } from "./poll.js";

const FIRST_OPTIONS = 3;
const MOST_OPTIONS = 10;

export class PollForm {
  /**
   * @param {HTMLFormElement} form with #poll-question and #poll-fields
   * @param {(draft: {question: string, options: string[]}) => Promise<{ok: boolean}>} open
   */
  constructor(form, open) {
    this.form = form;
    this.open = open;
    this.question = /** @type {HTMLTextAreaElement} */ (form.querySelector("#poll-question"));
    this.fields = /** @type {HTMLElement} */ (form.querySelector("#poll-fields"));
    form.addEventListener("focusin", () => this.unfold());
    form.addEventListener("focusout", () => setTimeout(() => this.fold(), 200));
    form.addEventListener("input", () => this.grow());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.question.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      this.options()[0]?.focus();
    });
    this.reset();
  }

  focus() {
    this.question.focus();
  }

  options() {
    return [...this.fields.querySelectorAll("input")];
  }

  reset() {
    this.question.value = "";
    this.fields.replaceChildren();
    for (let i = 0; i < FIRST_OPTIONS; i++) this.addOption();
    this.grow();
  }

  addOption() {
    const index = this.options().length;
    const id = `poll-option-${index}`;
    const words = t("Option {letter}", { letter: letter(index) });
    this.fields.append(
      h(
        "div.poll-field",
        {},
        h("label", { for: id }, letter(index)),
        h("input.input", { id, type: "text", maxlength: 200, "data-test": "poll-option", "aria-label": words, placeholder: words, autocomplete: "off" }),
      ),
    );
  }

  unfold() {
    this.form.dataset.open = "";
  }

  fold() {
    const typed = this.question.value || this.options().some((option) => option.value);
    if (!typed && !this.form.contains(document.activeElement)) delete this.form.dataset.open;
  }

  grow() {
    const options = this.options();
    if (options.length < MOST_OPTIONS && options.every((option) => option.value.trim())) this.addOption();
    setAttribute(/** @type {Element} */ (this.form.querySelector("[type=submit]")), "aria-disabled", this.draft() === null ? "true" : null);
  }

  /** @returns {{question: string, options: string[]} | null} null: something is missing */
  draft() {
    const question = this.question.value.trim();
    const options = this.options().map((option) => option.value.trim()).filter(Boolean);
    return question && options.length >= 2 ? { question, options } : null;
  }

  async send() {
    const draft = this.draft();
    if (!draft) {
      this.unfold();
      const empty = this.question.value.trim() ? this.options().find((option) => !option.value.trim()) : this.question;
      empty?.focus();
      return;
    }
    const ack = await this.open(draft);
    if (ack.ok) {
      this.reset();
      delete this.form.dataset.open;
    }
  }
}
