/** Markup. Only {@link html} makes it, so everything else in a page is text. */
export interface Html {
  readonly markup: string
}

/** The values that a template takes: text, which is escaped; markup; lists of these; or nothing. */
export type Content = string | number | Html | readonly Content[] | null | undefined | false

/**
 * Makes markup from a template. Every value in it is escaped, in text and in quoted attributes
 * alike.
 */
export function html(pieces: TemplateStringsArray, ...contents: Content[]): Html {
  let markup = pieces[0] as string
  for (const [at, content] of contents.entries()) {
    markup += markupOf(content) + (pieces[at + 1] as string)
  }
  return { markup }
}

function markupOf(content: Content): string {
  if (content === null || content === undefined || content === false) return ''
  if (typeof content === 'string' || typeof content === 'number') return escaped(String(content))
  if ('markup' in content) return content.markup
  return content.map(markupOf).join('')
}

function escaped(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
}

/**
 * Replaces control characters by their pictures, so that text of a client or a remote system cannot
 * change how the rest of the page is shown. Characters that change the direction of writing are
 * replaced by their names.
 */
function visible(text: string): string {
  return text
    .replace(CONTROLS, (character) => String.fromCharCode(0x2400 + character.charCodeAt(0)))
    .replace(DIRECTIONS, (character) => `[U+${character.charCodeAt(0).toString(16).toUpperCase()}]`)
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const CONTROLS = /[\0-\x08\x0b\x0c\x0e-\x1f]/g
const DIRECTIONS = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
