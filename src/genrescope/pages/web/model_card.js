// <model-card>: which model answers; one click away what it knows and how it was measured.

import { dot, make } from "./dom.js";
import { coloursOf } from "./genre_colours.js";

export class ModelCard extends HTMLElement {
  connectedCallback() {
    document.addEventListener("pointerdown", ({ target }) => this.contains(target) || this.#close());
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.#close());
  }

  #close() {
    this.querySelector("details")?.removeAttribute("open");
  }

  set session(session) {
    this.shown = session;
    session.addEventListener("model", () => this.#show(session.model));
    if (session.model) this.#show(session.model);
  }

  #show(model) {
    const colours = [...coloursOf(model).values()];
    const genres = make("ul", { className: "genres" }, colours.map((genre) => make("li", {}, [dot(genre), genre.name])));
    const facts = this.#facts(model).map(([name, value]) => [make("dt", { textContent: name }), make("dd", {}, [value])]);
    const summary = make("summary", {}, [make("span", { className: "soft", textContent: "Model " }), model.name]);
    this.replaceChildren(make("details", {}, [summary, make("div", { className: "sheet" }, [genres, make("dl", {}, facts.flat())])]));
  }

  #facts(model) {
    const { name = "", licence = "" } = model.trained_on ?? {}, terms = licence && ` (${licence})`;
    return [
      ["Measured", model.measured ?? "This model file has no figures of its accuracy."],
      ["Trained on", name && name + terms],
      ["Genres", model.exclusive === false ? "A song may have several." : "One for each song."],
      ["Unknown", model.unknown ? "It marks songs that are probably none of its genres." : ""],
      ["Licence", licenceOf(model)],
      ["Cite", (model.citations ?? []).join(" ")],
      ["Fingerprint", model.fingerprint],
    ].filter(([, value]) => value);
  }
}

// Whole licences are long: their first line, and the rest where a person asks for it.
function licenceOf({ licence }) {
  const [first, ...rest] = (licence ?? "").trim().split("\n");
  if (!rest.length) return first;
  return make("details", {}, [make("summary", { textContent: first }), make("p", { className: "small terms", textContent: rest.join("\n").trim() })]);
}

customElements.define("model-card", ModelCard);
