// A table of figures: a row each, its heading first.

import { element } from "../js/element.js";

/** `heading` and `columns`: a name and how a row's figure is written; `kind`: the class of the figures. */
export function draw(section, heading, columns, rows, kind) {
  const cell = (name, text, classes, scope) => {
    const made = element(name, classes, text);
    if (scope) made.scope = scope;
    return made;
  };
  const head = element("tr");
  head.append(cell("th", heading[0], "", "col"), ...columns.map(([name]) => cell("th", name, kind, "col")));
  const drawn = rows.map((each) => {
    const row = element("tr");
    row.append(cell("th", heading[1](each), "", "row"), ...columns.map(([, write]) => cell("td", write(each), kind)));
    return row;
  });
  section.querySelector("thead").replaceChildren(head);
  section.querySelector("tbody").replaceChildren(...drawn);
  section.hidden = !rows.length;
}
