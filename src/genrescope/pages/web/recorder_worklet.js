// Sends what the microphone gives to the page, block by block.

class Recording extends AudioWorkletProcessor {
  process([[channel]]) {
    if (channel) this.port.postMessage(channel.slice());
    return true;
  }
}

registerProcessor("recording", Recording);
