/** Who this tab is, and names for what it sends. */

const KEY = "lightbulb:client";

/** A random UUID; crypto.randomUUID exists only on https and localhost. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function takeClientId() {
  // "Duplicate tab" copies sessionStorage. Taking the id out while the page lives, and putting it
  // back as it goes, keeps the id over a reload yet gives a duplicated tab one of its own.
  let id = null;
  try {
    id = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    window.addEventListener("pagehide", () => sessionStorage.setItem(KEY, clientId));
    window.addEventListener("pageshow", () => sessionStorage.removeItem(KEY));
  } catch { /* storage forbidden: a new id at each load */ }
  return id ?? uuid();
}

/** The id under which this tab leases questions and batches. */
export const clientId = takeClientId();
