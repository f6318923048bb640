// The question for the token of a service that wants one.

export function askToken(why) {
  const dialog = document.getElementById("token"), text = document.getElementById("token-text");
  document.getElementById("token-why").textContent = why;
  text.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok" ? text.value.trim() : null), { once: true });
  });
}
