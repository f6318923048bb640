// Which engine the page works with: this file is engine.js in a folder that `genrescope export --web` wrote.

import { LocalEngine } from "./local_engine.js";

const PROMISE = "Your music stays on this device.";

export function makeEngine() {
  const engine = new LocalEngine();
  document.getElementById("served")?.remove(); // modules run, so the folder is served
  engine.addEventListener("speed", ({ detail }) => {
    document.getElementById("where").textContent = `${PROMISE} It is classified here, ${times(detail)} real time.`;
  });
  return engine;
}

const times = (speed) => `${speed < 10 ? speed.toFixed(1) : Math.round(speed).toLocaleString("en")} times`;
