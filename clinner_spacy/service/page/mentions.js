/* A text with its mentions as elements, the same that clinner_spacy/cli/marked.py writes as HTML.
 *
 * A mention is what /annotate answers: {start, end, text, label, task, score, …}; start and end count characters
 * (code points), where strings here count UTF-16 units. What a note says becomes text, never HTML. */

/* As HIDDEN and PICTURES in clinner_spacy/cli/marked.py. */
const HIDDEN =
  /[\u0080-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]/u;
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

const COLOURS = 8;
const SAID = ["negated", "uncertain", "family", "historical", "hypothetical"];

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** What is said of a mention: ["negated", …]. */
export const said = (mention) => SAID.filter((name) => mention[name]);

/** Rules that give .m0, .m1, … the colour and the picture of a label. labels: [{label, colour}]. */
export function labelRules(labels) {
  return labels.map(({ label, colour }, n) => {
    const width = 6 * [...label].length;
    const safe = label.replace(CONTROL, " ").replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
    const picture =
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width + 6}" height="11">` +
      `<text x="3" y="8.5" font-family="sans-serif" font-size="9" textLength="${width}" ` +
      `lengthAdjust="spacingAndGlyphs" fill="#1d2329">${safe}</text></svg>`;
    const url = `data:image/svg+xml,${encodeURIComponent(picture).replace(/['()]/g, (c) => "%" + c.charCodeAt(0).toString(16))}`;
    return `.m${n}{--c:var(--c${colour % COLOURS});--chip:${width + 6}px;--label:url("${url}")}`;
  });
}

/** The text in nodes, with a mark around each mention. Where two cross, the later one's ends with the earlier one's
 * and begins anew. classOf: label -> number of its rule. */
export function markedText(text, mentions, classOf) {
  const all = document.createDocumentFragment();
  const characters = [...text];
  const waiting = inRows(mentions).reverse();
  let open = []; // [{mention, row, id, node}], each in the one before
  let at = 0;
  for (const cut of cuts(mentions, characters.length)) {
    const here = open.length ? open[open.length - 1].node : all;
    here.append(...shown(characters.slice(at, cut).join("")));
    at = cut;
    const ended = open.findIndex(({ mention }) => mention.end <= cut);
    const again = (ended < 0 ? [] : open.splice(ended)).filter(({ mention }) => mention.end > cut);
    while (waiting.length && waiting[waiting.length - 1].mention.start === cut) again.push(waiting.pop());
    for (const mark of again.sort((a, b) => b.mention.end - a.mention.end)) {
      const parent = open.length ? open[open.length - 1].node : all;
      open.push(mark);
      mark.node = markOf(mark, open, classOf);
      parent.append(mark.node);
    }
  }
  return all;
}

/** Each mention with the first row that is free where it begins, the longer of two first. */
export function inRows(mentions) {
  const numbered = mentions.map((mention, id) => ({ mention, id }));
  numbered.sort((a, b) => a.mention.start - b.mention.start || b.mention.end - a.mention.end || a.id - b.id);
  const ends = [];
  return numbered.map(({ mention, id }) => {
    const free = ends.findIndex((end) => end <= mention.start);
    const row = free < 0 ? ends.length : free;
    ends[row] = mention.end;
    return { mention, id, row, node: null };
  });
}

function cuts(mentions, length) {
  const places = new Set([length]);
  for (const { start, end } of mentions) places.add(start).add(end);
  return [...places].sort((a, b) => a - b);
}

function markOf({ mention, row, id, node }, open, classOf) {
  const classes = [`m${classOf.get(mention.label)}`];
  if (said(mention).length) classes.push("hollow");
  if (mention.negated) classes.push("negated");
  if (node) classes.push("again");
  const mark = element("mark", { class: classes.join(" "), title: open.map(titleOf).join("\n") });
  if (!node) mark.id = `m-${id}`;
  mark.style.setProperty("--n", row);
  return mark;
}

function titleOf({ mention }) {
  const words = [mention.label, mention.score.toFixed(2), ...said(mention)];
  if (mention.code) words.push(mention.code, mention.term);
  return words.filter(Boolean).join(" ");
}

/** A text as nodes in which every character can be seen, and none turns what follows. */
export function shown(text) {
  return text.split(new RegExp(`(${HIDDEN.source})`, "u")).filter(Boolean).map((part) => {
    if (!HIDDEN.test(part)) return part.replace(/\r\n?/g, "\n").replace(CONTROL, picture);
    const code = part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    return element("span", { class: "hidden-character", "data-code": `U+${code}` }, part);
  });
}

function picture(character) {
  const code = character.charCodeAt(0);
  return String.fromCharCode(code === 0x7f ? 0x2421 : 0x2400 + code);
}
