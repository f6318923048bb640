// <model-card>: which model answers; one click away what it knows and how it was measured.

import { dot, make } from "./dom.js";
import { coloursOf } from "./genre_colours.js";

export class ModelCard extends HTMLElement {
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
    const citations = [model.citations ?? []].flat().join(" ");
    return [
      ["Measured", model.measured ?? "This model file has no figures of its accuracy."],
      ["Trained on", model.trained_on],
      ["Genres", model.exclusive === false ? "A song may have several." : "One for each song."],
      ["Unknown", model.unknown ? "It marks songs that are probably none of its genres." : ""],
      ["Licence", model.licence],
      ["Cite", citations],
      ["Fingerprint", model.fingerprint],
    ].filter(([, value]) => value);
  }
}

customElements.define("model-card", ModelCard);
