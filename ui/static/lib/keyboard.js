// @ts-check
// What keys are called on this computer's keyboard.

/** The key that goes with others, by the name of the system's platform. @param {string} platform as the browser tells it */
export function commandKey(platform) {
  return /^(Mac|iP)/.test(platform) ? "⌘" : "Ctrl";
}
