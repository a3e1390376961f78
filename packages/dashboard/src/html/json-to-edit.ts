/**
 * JSON for a person to edit: characters that control how text is shown, such as those that change
 * the direction of writing, are written as escapes. The JSON means the same, so what nobody edits
 * comes back unchanged. White space between values is kept.
 */
export function jsonToEdit(json: string): string {
  return json
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(UNSEEN, (character) =>
      character === '\n' || character === '\t' ? character : escaped(character),
    )
}

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, at) => unit(character, at)).join('')
}

function unit(character: string, at: number): string {
  return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
}

/** Control and format characters, lone surrogates, line and paragraph separators. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
