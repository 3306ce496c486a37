/** Dark or light: the system's, until the button says otherwise. */

const root = document.documentElement;

/** Has `button` switch between dark and light, and remembers it. */
export function wireTheme(button) {
  root.style.colorScheme = localStorage.getItem("theme") ?? "";
  button.addEventListener("click", () => {
    const system = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
    const now = root.style.colorScheme || system;
    root.style.colorScheme = now === "dark" ? "light" : "dark";
    localStorage.setItem("theme", root.style.colorScheme);
  });
}
