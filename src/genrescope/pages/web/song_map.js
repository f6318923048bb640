// <song-map>: the songs as points, with names of genres, a hint under the pointer, a lasso, and lines to neighbours.

import { Gestures } from "./gestures.js";
import { Glow } from "./glow.js";
import { dot, make, percent, tinted } from "./dom.js";
import { Painter } from "./painter.js";
import { PointGrid, isInside } from "./point_grid.js";
import { Viewport } from "./viewport.js";

const REACH = { mouse: 10, touch: 24 }; // CSS pixels between pointer and song
const FLIGHT = 450; // milliseconds

export class SongMap extends HTMLElement {
  start(state) {
    this.state = state;
    this.songs = state.songs;
    this.x = Float32Array.from(this.songs.x, (value) => value / 65535);
    this.y = Float32Array.from(this.songs.y, (value) => value / 65535);
    Object.assign(this, { view: new Viewport(), grid: new PointGrid(this.x, this.y), hovered: -1, isLasso: false });
    Object.assign(this, { painter: new Painter(this.songs), glow: new Glow(this.songs), outline: null });
    this.#build();
    this.gestures = new Gestures(this, this.area);
    state.addEventListener("change", (event) => this.#changed(event.detail.changed));
    for (const query of ["(prefers-color-scheme: dark)", "print"]) {
      matchMedia(query).addEventListener("change", () => this.#theme());
    }
    new ResizeObserver(() => this.#resize()).observe(this);
    this.#resize();
    this.#theme();
  }

  #build() {
    this.layers = ["glow", "points", "marks"].map((name) => make("canvas", { className: name, ariaHidden: "true" }));
    this.names = make("div", { className: "names", ariaHidden: "true" });
    this.tip = make("div", { className: "tip", hidden: true });
    this.area = make("div", { className: "area", tabIndex: 0 });
    this.area.setAttribute("role", "application");
    this.area.setAttribute("aria-label", this.getAttribute("label"));
    this.tools = make("div", { className: "tools" }, [
      this.#tool("+", "Zoom in", () => this.#zoom(1.6)),
      this.#tool("\u2212", "Zoom out", () => this.#zoom(1 / 1.6)),
      this.#tool("\u2922", "Show all songs (0)", () => this.fit()),
      (this.lasso = this.#tool("\u25cc", "Lasso: draw around songs (L)", () => this.setLasso(!this.isLasso))),
    ]);
    this.lasso.setAttribute("aria-pressed", "false");
    this.area.append(...this.layers, this.names, this.tip);
    this.append(this.area, this.tools);
  }

  #tool(text, title, action) {
    const button = make("button", { type: "button", textContent: text, title, onclick: action });
    button.setAttribute("aria-label", title);
    return button;
  }

  #zoom(factor) {
    this.view.zoomAt(this.view.width / 2, this.view.height / 2, factor);
    this.moved();
  }

  #resize() {
    const { width, height } = this.getBoundingClientRect();
    if (!width || !height) return;
    this.ratio = Math.min(3, devicePixelRatio || 1);
    for (const canvas of this.layers) {
      Object.assign(canvas, { width: Math.round(width * this.ratio), height: Math.round(height * this.ratio) });
    }
    this.view.resize(width, height);
    this.#paint(); // at once: a canvas of another size is empty
  }

  #theme() {
    const style = getComputedStyle(this), isDark = matchMedia("(prefers-color-scheme: dark)").matches;
    const names = ["paper", "ink", "accent"];
    this.ink = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.colours = this.songs.genres.map((genre) => (isDark ? genre.dark : genre.light));
    this.painter.theme(this.ink.paper, this.colours);
    this.strength = isDark ? 0.42 : 0.3;
    this.#light();
  }

  #light() {
    this.glow.follow(this.state, this.colours, this.strength);
    this.names.replaceChildren(
      ...this.glow.names.map(({ genre, share }) => {
        const name = make("span", { textContent: this.songs.genres[genre].name });
        tinted(name, this.songs.genres[genre]);
        name.style.setProperty("--size", `${Math.round(15 + 22 * Math.min(0.5, share))}px`);
        return name;
      }),
    );
    this.sizes = [...this.names.children].map((name) => [name.offsetWidth, name.offsetHeight]);
    this.moved();
  }

  #changed(changed) {
    if (changed.some((name) => name === "off" || name === "least")) this.#light();
    if (changed.includes("chosen") && this.state.chosen >= 0) this.#fly(this.state.chosen);
    this.moved();
  }

  fit() {
    this.view.fit();
    this.moved();
  }

  setLasso(isOn) {
    this.isLasso = isOn;
    this.lasso.setAttribute("aria-pressed", String(isOn));
    this.classList.toggle("lasso", isOn);
  }

  // Draw everything again before the next frame.
  moved() {
    if (!this.asked) this.asked = requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    this.asked = 0;
    if (!this.ratio || !this.painter.colours) return;
    const [glow, points, marks] = this.layers, started = performance.now();
    this.glow.paint(glow, this.view, this.ratio, this.state.isLit ? 0.35 : 1);
    this.painter.paint(points, this.view, this.state, this.ratio);
    this.#marks(marks);
    this.#place();
    this.took = performance.now() - started;
  }

  // Names of genres stand where their songs are densest; a smaller genre's gives way.
  #place() {
    const taken = [];
    this.glow.names.forEach(({ x, y }, place) => {
      const [width, height] = this.sizes[place], left = this.view.right(x) - width / 2;
      const top = this.view.down(y) - height / 2, name = this.names.children[place];
      const box = [left - 4, top - 2, left + width + 4, top + height + 2];
      const isFree = !taken.some(([l, t, r, b]) => box[0] < r && box[2] > l && box[1] < b && box[3] > t);
      if (isFree) taken.push(box);
      name.classList.toggle("away", !isFree);
      name.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
    });
  }

  #marks(canvas) {
    const context = canvas.getContext("2d"), { chosen } = this.state;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const [like, ...others] = this.state.view === "alike" ? this.state.alike : [];
    this.#lines(context, like, others);
    if (this.hovered >= 0) this.#ring(context, this.hovered, 1.5, this.ink.ink);
    if (chosen >= 0) this.#ring(context, chosen, 3, this.ink.accent);
    if (this.outline) this.#path(context);
  }

  #at(song) {
    return [this.view.right(this.x[song]), this.view.down(this.y[song])];
  }

  #ring(context, song, width, colour) {
    context.beginPath();
    context.arc(...this.#at(song), this.painter.radius(this.view) + 3 + width, 0, 2 * Math.PI);
    Object.assign(context, { strokeStyle: this.ink.paper, lineWidth: width + 2 });
    context.stroke();
    Object.assign(context, { strokeStyle: colour, lineWidth: width });
    context.stroke();
  }

  #lines(context, from, songs) {
    Object.assign(context, { strokeStyle: this.ink.accent, lineWidth: 1.25, globalAlpha: 0.7 });
    context.beginPath();
    for (const song of songs) {
      context.moveTo(...this.#at(from));
      context.lineTo(...this.#at(song));
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  #path(context) {
    context.beginPath();
    for (const place of this.outline) context.lineTo(...place);
    context.closePath();
    Object.assign(context, { strokeStyle: this.ink.accent, fillStyle: this.ink.accent, lineWidth: 2, globalAlpha: 0.15 });
    context.fill();
    context.globalAlpha = 1;
    context.stroke();
  }

  // The song at a place of the window: a lit one where there is one, else any that is shown.
  #find(right, down, reach) {
    const { state, view } = this, within = Math.max(reach, this.painter.radius(view) + 4) / view.scale;
    const near = (wanted) => this.grid.nearest(view.toX(right), view.toY(down), within, wanted);
    const found = state.isLit ? near((song) => state.lit[song]) : -1;
    return found >= 0 ? found : near((song) => state.shown[song]);
  }

  hover(x, y) {
    const found = x === null ? -1 : this.#find(x, y, REACH.mouse);
    if (found !== this.hovered) {
      this.hovered = found;
      this.moved();
    }
    this.area.classList.toggle("over", found >= 0);
    this.tip.hidden = found < 0;
    if (found >= 0) this.#hint(found);
  }

  #hint(song) {
    const { songs, tip } = this, [x, y] = this.#at(song);
    const genre = [dot(songs.genres[songs.genre[song]]), `${songs.genreOf(song)} ${percent(songs.sure(song))}`];
    const [title, artist] = [songs.title(song), songs.artistOf(song)];
    tip.replaceChildren(make("b", { textContent: title }), make("span", { textContent: artist }), make("small", {}, genre));
    const left = Math.max(8, Math.min(this.view.width - tip.offsetWidth - 8, x - tip.offsetWidth / 2));
    const above = y - tip.offsetHeight - 16;
    tip.style.transform = `translate(${left}px, ${above < 8 ? y + 16 : above}px)`;
  }

  choose(x, y, isTouch) {
    const found = this.#find(x, y, isTouch ? REACH.touch : REACH.mouse);
    this.hover(null);
    this.dispatchEvent(new CustomEvent("choose", { detail: { song: found, play: found >= 0 }, bubbles: true }));
  }

  draw(outline) {
    this.outline = outline;
    this.moved();
  }

  drawn(outline) {
    this.draw(null);
    const line = outline.map(([x, y]) => [this.view.toX(x), this.view.toY(y)]);
    const isWanted = (song) => this.state.shown[song] && isInside(this.x[song], this.y[song], line);
    const inside = [...this.x.keys()].filter(isWanted);
    this.setLasso(false);
    this.dispatchEvent(new CustomEvent("lasso", { detail: { songs: inside }, bubbles: true }));
  }

  // Bring a song into the window, in one step where motion is not wanted.
  #fly(song) {
    const { view } = this, [x, y] = [this.x[song], this.y[song]];
    if (view.isVisible(x, y)) return;
    const from = [view.toX(view.width / 2), view.toY(view.height / 2)], { scale } = view;
    const begun = performance.now();
    const length = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : FLIGHT;
    const step = () => {
      const share = length ? Math.min(1, (performance.now() - begun) / length) : 1;
      const eased = share * share * (3 - 2 * share);
      view.centre(from[0] + (x - from[0]) * eased, from[1] + (y - from[1]) * eased, scale);
      this.moved();
      if (share < 1) requestAnimationFrame(step);
    };
    step();
  }
}

customElements.define("song-map", SongMap);
