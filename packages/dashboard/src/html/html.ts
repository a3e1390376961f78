/** Markup. Only {@link html} makes it, so everything else in a page is text. */
export interface Html {
  readonly markup: string
}

/** The values that a template takes: text, which is escaped; markup; lists of these; or nothing. */
export type Content = string | number | Html | readonly Content[] | null | undefined | false

/**
 * Makes markup from a template. Every value in it is escaped, in text and in quoted attributes
 * alike. In text, characters that control how it is shown are replaced. A value that a form sends
 * back (`value="…"`, the content of a `textarea`) keeps them, because it would name another thing.
 */
export function html(pieces: TemplateStringsArray, ...contents: Content[]): Html {
  let markup = pieces[0] as string
  for (const [at, content] of contents.entries()) {
    const escaped = IS_SENT_BACK.test(pieces[at] as string) ? exact : shown
    markup += markupOf(content, escaped) + (pieces[at + 1] as string)
  }
  return { markup }
}

/** Whether a form sends what follows this piece of a template. */
const IS_SENT_BACK = / value="$|<textarea[^>]*>$/

/**
 * Whether a form returns this text as it was: browsers make each line end CRLF, a NUL is lost, and
 * so is half of a character.
 */
export function isReturned(text: string): boolean {
  return !/\0|\r(?!\n)|(?<!\r)\n/.test(text) && text.isWellFormed()
}

function markupOf(content: Content, escaped: (text: string) => string): string {
  if (content === null || content === undefined || content === false) return ''
  if (typeof content === 'string' || typeof content === 'number') return escaped(String(content))
  if ('markup' in content) return content.markup
  return content.map((each) => markupOf(each, escaped)).join('')
}

function shown(text: string): string {
  return exact(visible(text))
}

/** A carriage return is written as an entity, because a browser reads one as a line feed. */
function exact(text: string): string {
  return text.replace(/[&<>"'\r]/g, (character) => ENTITIES[character] as string)
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
  '\r': '&#13;',
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const CONTROLS = /[\0-\x08\x0b\x0c\x0e-\x1f]/g
const DIRECTIONS = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
