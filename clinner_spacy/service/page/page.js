/* The service's page: a note goes to /annotate, what was found is shown, filtered and saved. */

import { element, labelRules, markedText, said, shown } from "./mentions.js";

const byId = (id) => document.getElementById(id);

/** What the page knows. file: as it was opened, while the field still shows it; asked, answer: of the last question. */
const state = { languages: {}, file: null, asked: null, answer: null, labels: [], sheet: new CSSStyleSheet() };

/* The question */

async function start() {
  document.adoptedStyleSheets = [state.sheet];
  try {
    state.languages = (await askFor("info")).languages;
  } catch (error) {
    return say(error.message, true);
  }
  const names = Object.keys(state.languages);
  byId("language").append(...names.map((name) => element("option", { value: name }, describe(name))));
  byId("language-field").hidden = names.length < 2;
  showTasks();
}

function describe(name) {
  let spoken = name;
  try {
    spoken = new Intl.DisplayNames("en", { type: "language" }).of(name);
  } catch {
    // a name that is no code of a language stands for itself
  }
  return `${spoken} – ${state.languages[name].model}`;
}

function showTasks() {
  const tasks = Object.keys(state.languages[byId("language").value].tasks);
  byId("tasks").replaceChildren(...tasks.map((task) => checkbox(task, [task])));
}

/** A list entry with a checkbox; what: its label, in nodes and strings. */
function checkbox(value, what) {
  const box = element("input", { type: "checkbox", value });
  box.checked = true;
  return element("li", {}, element("label", {}, box, ...what));
}

const checked = (id) => [...byId(id).querySelectorAll("input:checked")].map((box) => box.value);

async function find(event) {
  event.preventDefault();
  const text = noteText();
  const language = byId("language").value;
  const tasks = checked("tasks");
  if (!text.trim()) return say("There is no note yet: paste one, or open a file.", true);
  if (!tasks.length) return say("No task is chosen.", true);
  const query = new URLSearchParams({ language });
  for (const task of tasks) query.append("task", task);
  byId("find").disabled = true;
  say("Reading …");
  try {
    const [reading] = (await askFor(`annotate?${query}`, { texts: [text] })).results;
    if (reading === null) throw new Error("The note could not be read.");
    state.asked = { text, language, name: state.file && state.file.text === text ? state.file.name : "note" };
    state.answer = reading;
    showAnswer();
  } catch (error) {
    byId("found").hidden = true;
    say(error.message, true);
  } finally {
    byId("find").disabled = false;
  }
}

/** The answer of the service; an Error with its sentence if it has none. body: null to GET. */
async function askFor(path, body = null) {
  const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, body === null ? {} : post).catch(() => {
    throw new Error("The service does not answer; is it still running?");
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.detail || `The service answers ${answer.status}.`);
  return told;
}

function say(sentence, isError = false) {
  byId("status").textContent = sentence;
  byId("status").classList.toggle("error", isError);
}

/* Files */

/** The note, with the file's own line ends if it is one: offsets count them, and a text field changes them. */
function noteText() {
  const value = byId("note").value;
  return state.file && value === inField(state.file.text) ? state.file.text : value;
}

const inField = (text) => text.replace(/\r\n?/g, "\n");

async function openFile(file) {
  if (!file) return;
  const bytes = await file.arrayBuffer();
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    state.file = { text, name: file.name.replace(/\.txt$/i, "") };
    byId("note").value = text;
    say(`${file.name} is open.`);
  } catch {
    say(`${file.name} is not UTF-8 text; save it as UTF-8.`, true);
  }
  byId("note").focus();
}

/** Files may be dropped anywhere: beside the field the browser would leave the page for them. */
function takeDrops() {
  const field = byId("note");
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer.types.includes("Files")) return; // dropped words are the field's own business
      event.preventDefault();
      field.classList.add("dropping");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) field.classList.remove("dropping"); // out of the window
  });
  document.addEventListener("drop", (event) => {
    field.classList.remove("dropping");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    openFile(event.dataTransfer.files[0]);
  });
}

/* The answer */

function showAnswer() {
  const { tasks, assertion } = state.languages[state.asked.language];
  state.labels = labelsOf(tasks, state.answer.mentions);
  state.sheet.replaceSync(labelRules(state.labels).join("\n"));
  byId("labels").replaceChildren(...state.labels.map(labelEntry));
  byId("legend").hidden = !assertion;
  byId("text").lang = state.asked.language;
  byId("found").hidden = false;
  showChosen();
}

/** Labels of the mentions in order of the tasks, each with the number of its task's colour and of its mentions. */
function labelsOf(tasks, mentions) {
  const counts = new Map();
  for (const { label } of mentions) counts.set(label, (counts.get(label) || 0) + 1);
  const colours = new Map(Object.values(tasks).flatMap((labels, n) => labels.map((label) => [label, n])));
  const names = [...new Set([...colours.keys(), ...counts.keys()])].filter((label) => counts.has(label));
  return names.map((label) => ({ label, colour: colours.get(label) ?? colours.size, count: counts.get(label) }));
}

function labelEntry({ label, count }, n) {
  const key = element("span", { class: `key m${n}`, "aria-hidden": "true" });
  return checkbox(label, [key, ...shown(label), "\u00a0", element("span", { class: "count" }, String(count))]);
}

/** What passes the filters: mentions, and the relations both of whose ends do. */
function chosen() {
  const labels = new Set(checked("labels"));
  const least = Number(byId("score").value);
  const { mentions, relations } = state.answer;
  const passing = mentions.filter(({ label, score }) => labels.has(label) && score >= least);
  const places = new Set(passing.map(({ start, end, label }) => `${start} ${end} ${label}`));
  const passes = (relation, side) =>
    places.has(`${relation[`${side}_start`]} ${relation[`${side}_end`]} ${relation[`${side}_label`]}`);
  return { mentions: passing, relations: relations.filter((r) => passes(r, "head") && passes(r, "tail")) };
}

function showChosen() {
  const { mentions, relations } = chosen();
  const classOf = new Map(state.labels.map(({ label }, n) => [label, n]));
  byId("score-shown").textContent = Number(byId("score").value).toFixed(2);
  byId("text").replaceChildren(markedText(state.asked.text, mentions, classOf));
  showTable(mentions);
  byId("relations").replaceChildren(...relations.map(relationEntry));
  byId("relations").hidden = !relations.length;
  const all = state.answer.mentions.length;
  say(`${mentions.length} of ${all} ${all === 1 ? "mention" : "mentions"} shown.`);
}

function showTable(mentions) {
  const { assertion } = state.languages[state.asked.language];
  const linked = state.answer.mentions.some((mention) => "code" in mention);
  const names = ["Mention", "Label", "Score", ...(assertion ? ["Said of it"] : []), ...(linked ? ["Code"] : [])];
  byId("columns").replaceChildren(
    ...names.map((name) => element("th", { scope: "col", class: name === "Score" ? "number" : "" }, name)),
  );
  byId("mentions").replaceChildren(
    ...mentions.map((mention, n) => {
      const cells = [
        element("td", {}, element("a", { href: `#m-${n}` }, ...shown(mention.text))),
        element("td", {}, ...shown(mention.label)),
        element("td", { class: "number" }, mention.score.toFixed(2)),
      ];
      if (assertion) cells.push(element("td", {}, said(mention).join(", ")));
      if (linked) cells.push(element("td", {}, ...shown([mention.code, mention.term].filter(Boolean).join(" "))));
      return element("tr", {}, ...cells);
    }),
  );
}

function relationEntry(relation) {
  const side = (name) => [
    element("q", {}, ...shown(relation[`${name}_text`])),
    " ",
    element("small", {}, ...shown(relation[`${name}_label`])),
  ];
  const arrow = element("em", {}, "— ", ...shown(relation.relation), " →");
  return element("li", { title: relation.score.toFixed(2) }, ...side("head"), " ", arrow, " ", ...side("tail"));
}

/* Saving */

function saveJson() {
  save("json", "application/json", `${JSON.stringify({ note_id: state.asked.name, ...chosen() }, null, 2)}\n`);
}

/** A table of the mentions with the columns of `multiclin predict`'s; tabs and line ends in a cell become blanks. */
function saveTsv() {
  const { mentions } = chosen();
  const columns = [...new Set(mentions.flatMap(Object.keys))];
  const cell = (value) => String(value ?? "").replace(/[\t\n\r\v\f\u0085\u2028\u2029]/g, " ");
  const rows = mentions.map((mention) => [state.asked.name, ...columns.map((name) => mention[name])].map(cell));
  save("tsv", "text/tab-separated-values", [["note_id", ...columns], ...rows].map((row) => `${row.join("\t")}\n`).join(""));
}

function save(extension, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: `${state.asked.name}.${extension}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  say(`${state.asked.name}.${extension} is saved.`);
}

/* What happens when */

byId("ask").addEventListener("submit", find);
byId("note").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("ask").requestSubmit();
});
byId("language").addEventListener("change", showTasks);
byId("open").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", () => {
  openFile(byId("file").files[0]);
  byId("file").value = ""; // so that the same file can be opened again
});
takeDrops();
byId("labels").addEventListener("change", showChosen);
byId("score").addEventListener("input", showChosen);
byId("json").addEventListener("click", saveJson);
byId("tsv").addEventListener("click", saveTsv);
start();
