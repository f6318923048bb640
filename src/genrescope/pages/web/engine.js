// Which engine the page works with. The static export writes another file in this one's place.

import { RemoteEngine } from "./remote_engine.js";

export function makeEngine(options) {
  return new RemoteEngine(options);
}
