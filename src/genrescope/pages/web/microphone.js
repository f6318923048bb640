// Microphones and line inputs, without the filters that browsers have for speech, and why there is none.

const PLAIN = { echoCancellation: false, noiseSuppression: false, autoGainControl: false }; // made for speech; music suffers

// Open an input as a stream of the browser: that of an id, or the default one where it is not there.
export async function openMicrophone(id = "") {
  if (!navigator.mediaDevices?.getUserMedia) throw Object.assign(new Error(), { name: "NotSecure" });
  return navigator.mediaDevices.getUserMedia({ audio: id ? { ...PLAIN, deviceId: { ideal: id } } : PLAIN });
}

// The inputs as {id, name}. Browsers name them only once the page may use one.
export async function inputs() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const found = devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId);
  return found.map(({ deviceId, label }, place) => ({ id: deviceId, name: label || `Input ${place + 1}` }));
}

export const canCaptureTabs = () => Boolean(navigator.mediaDevices?.getDisplayMedia);

// Open the sound of a tab or of the system. Its picture is asked for, since browsers give none without it, and not used.
export async function openTab() {
  const stream = await navigator.mediaDevices.getDisplayMedia({
    video: { frameRate: 1 }, audio: { ...PLAIN, suppressLocalAudioPlayback: false }, systemAudio: "include",
  }); // prettier-ignore
  for (const track of stream.getVideoTracks()) track.enabled = false;
  if (stream.getAudioTracks().length) return stream;
  release(stream);
  throw Object.assign(new Error(), { name: "NoSound" });
}

export function release(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

// How wide a level meter is for an amplitude, in percent: 60 dB over its width.
export function meterWidth(peak) {
  return Math.max(0, Math.min(100, 100 * (1 + (20 * Math.log10(peak + 1e-6)) / 60)));
}

const REFUSALS = {
  NotSecure: "Recording needs an address that begins with https, or localhost.",
  NotAllowedError: "The browser may not use the microphone. Allow it for this page, beside the address, and try again.",
  NotFoundError: "There is no microphone.",
  NotReadableError: "The microphone is in use by another program.",
};
const OF_TABS = {
  NotAllowedError: "The browser shares no sound with this page. Choose a tab or screen, and try again.",
  NotFoundError: "There is no tab or screen whose sound the browser could share.",
  NoSound: "No sound was shared. Choose a tab, and switch on that its audio is shared.",
};

export function refusal({ name, message }, isTab = false) {
  if (isTab) return OF_TABS[name] ?? `The sound of a tab cannot be used: ${message}`;
  return REFUSALS[name] ?? `The microphone does not work: ${message}`;
}
