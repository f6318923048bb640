// <live-setup>: before the live view begins. Which sound, and why one is not there. Sends "begin" with whether it is a tab's.

import { make } from "./dom.js";
import { canCaptureTabs } from "./microphone.js";

const PROMISE = "The sound goes to the service that this page came from. It scores the sound and keeps none of it.";

export class LiveSetup extends HTMLElement {
  connectedCallback() {
    if (this.trouble) return;
    this.heading = make("h2", { textContent: "Listen live", tabIndex: -1 });
    const about = make("p", { textContent: "The genre of what is playing, as it plays." });
    this.microphone = this.#button("Microphone or line input", false);
    this.tab = this.#button("Sound of a tab or the system", true);
    this.tab.hidden = !canCaptureTabs();
    this.trouble = make("p", { className: "trouble", hidden: true });
    this.trouble.setAttribute("role", "alert");
    this.append(this.heading, about, make("p", { className: "ways" }, [this.microphone, this.tab]), this.trouble);
    this.append(make("p", { className: "soft small", textContent: PROMISE }));
  }

  #button(textContent, isTab) {
    const onclick = () => this.dispatchEvent(new CustomEvent("begin", { detail: isTab }));
    return make("button", { type: "button", textContent, onclick });
  }

  set busy(is) {
    this.microphone.disabled = this.tab.disabled = is;
  }

  say(sentence) {
    this.trouble.textContent = sentence;
    this.trouble.hidden = !sentence;
  }
}

customElements.define("live-setup", LiveSetup);
