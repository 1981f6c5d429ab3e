// Filters over a table whose last column is headed "tags": a list for each kind of tag, one for the column headed
// "evidence", and a field for words. A kind with a column of its own has its words there, the others have them in the
// last. Nothing is fetched, so that it works from files; the choice stands in the address.
"use strict";

(() => {
  const kindsOf = (page) => {
    const told = page.querySelector("#tag-kinds");
    return told ? JSON.parse(told.textContent) : {};
  };

  const cellsOf = (row, place) => (place < 0 ? "" : row.cells[place].textContent.trim());

  const codesOf = (cell) => new Set([...cell.querySelectorAll("code")].map((code) => code.textContent));

  function filtered(table, kinds) {
    const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
    const evidence = heads.indexOf("evidence");
    const placeOf = (kind) => (heads.includes(kind) ? heads.indexOf(kind) : heads.length - 1);
    const rows = [...table.tBodies[0].rows].map((row) => ({
      row,
      tags: Object.fromEntries(Object.keys(kinds).map((kind) => [kind, codesOf(row.cells[placeOf(kind)])])),
      state: cellsOf(row, evidence),
      text: row.textContent.toLowerCase(),
    }));
    const used = (kind, words) => words.filter((word) => rows.some(({ tags }) => tags[kind].has(word)));
    const lists = Object.entries(kinds).map(([kind, words]) => [kind, used(kind, words)]);
    if (evidence >= 0) lists.push(["evidence", [...new Set(rows.map(({ state }) => state))].sort()]);

    const bar = document.createElement("form");
    bar.className = "tag-filters";
    const words = document.createElement("input");
    words.type = "search";
    words.name = "words";
    words.placeholder = "words";
    words.setAttribute("aria-label", "words");
    bar.append(words);
    for (const [kind, choices] of lists.filter(([, choices]) => choices.length > 1)) {
      const list = document.createElement("select");
      list.name = kind;
      list.setAttribute("aria-label", kind);
      list.append(new Option(kind + ": all", ""), ...choices.map((choice) => new Option(choice, choice)));
      bar.append(list);
    }
    const count = document.createElement("output");
    const clear = document.createElement("button");
    clear.type = "reset";
    clear.textContent = "clear";
    bar.append(clear, count);

    const asked = () => Object.fromEntries([...new FormData(bar)].filter(([, value]) => value));
    const show = () => {
      const { words: typed = "", ...chosen } = asked();
      const parts = typed.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const { row, tags, state, text } of rows) {
        const fits = Object.entries(chosen).every(([kind, value]) =>
          kind === "evidence" ? state === value : tags[kind].has(value));
        row.hidden = !(fits && parts.every((part) => text.includes(part)));
        left += row.hidden ? 0 : 1;
      }
      count.textContent = `${left} of ${rows.length}`;
      const query = new URLSearchParams(asked()).toString();
      try {
        history.replaceState(null, "", location.pathname + (query && `?${query}`) + location.hash);
      } catch { /* some browsers refuse this of files */ }
    };
    bar.addEventListener("input", show);
    bar.addEventListener("submit", (event) => event.preventDefault());
    bar.addEventListener("reset", () => setTimeout(show));
    for (const [name, value] of new URLSearchParams(location.search)) {
      const field = bar.elements.namedItem(name);
      if (field) field.value = value;
    }
    (table.closest(".md-typeset__scrollwrap") || table).before(bar);
    show();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const kinds = kindsOf(document);
    for (const table of document.querySelectorAll("table")) {
      const last = table.tHead && table.tHead.rows[0].cells[table.tHead.rows[0].cells.length - 1];
      if (last && last.textContent.trim() === "tags") filtered(table, kinds);
    }
  });
})();
