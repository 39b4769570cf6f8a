// Says when a page that updates itself cannot, and when it can again. All else works without it.
"use strict";

(() => {
  const say = (text) => {
    const place = document.getElementById("connection");
    if (place && place.textContent !== text) place.textContent = text;
  };
  const lost = () => say("Not connected: what you see may be out of date. Trying again …");
  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
    document.addEventListener(name, lost);
  }
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status < 400) say("");
  });
})();
