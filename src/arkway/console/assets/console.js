// Before the page is drawn: its theme and language, from the cookie or the browser.
(() => {
  const wanted = document.currentScript.dataset;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const set = () => {
    const theme = wanted.theme === "auto" ? (dark.matches ? "dark" : "light") : wanted.theme;
    document.documentElement.dataset.theme = theme;
  };
  set();
  dark.addEventListener("change", set);
  document.documentElement.lang = wanted.lang;
  // On a telephone the pages' names are a strip: begin it at this one's.
  const show = () => document.querySelector(".nav [aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" });
  addEventListener("load", () => requestAnimationFrame(show));
  globalThis.arkwayPrefer = (lang, theme) => {
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `arkway_console=${lang}.${theme}; path=/; max-age=31536000; samesite=strict${secure}`;
    location.reload();
  };
})();
