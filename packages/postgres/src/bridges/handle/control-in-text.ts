/**
 * The first words of a statement in this text that would end a transaction, or begin another one.
 *
 * A text may hold several statements, of which any can be it, and a comment may stand before it:
 * `insert …; commit` commits what the handler wrote before its response is stored. So comments,
 * strings and quoted names are taken out first, and what is left is looked at statement by
 * statement. A function whose body is SQL without quotes (`begin atomic …; end`) is one statement,
 * although its body contains semicolons and ends with END.
 */
export function controlInText(text: string): string | undefined {
  if (!WORDS.test(text)) return undefined
  let isInBody = false
  for (const code of codeOf(text).split(';')) {
    const control = CONTROL.exec(code)
    if (isInBody) isInBody = !END.test(code)
    else if (control !== null) return control[0].trim().toUpperCase()
    else isInBody = opensBody(code)
  }
  return undefined
}

/** Without one of these words no text does it. */
const WORDS = /\b(?:begin|commit|end|abort|start|prepare|rollback)\b/i

// ROLLBACK TO and RELEASE end a savepoint, which is allowed.
const CONTROL =
  /^\s*(?:begin|commit|end|abort|start\s+transaction|prepare\s+transaction|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b))\b/i

const END = /^\s*end\b/i

/**
 * Whether the statement is a function whose body goes on behind the next semicolon. In the body,
 * every statement has a semicolon behind it, so END ends the body only where a statement begins.
 * What is in parentheses, such as a parameter with the name `begin`, opens no body.
 */
function opensBody(code: string): boolean {
  if (!ROUTINE.test(code)) return false
  let depth = 0
  for (const { 0: found, index } of code.matchAll(PARENTHESIS_OR_BODY)) {
    if (found === '(') depth++
    else if (found === ')') depth--
    else if (depth === 0) return !END.test(code.slice(index + found.length))
  }
  return false
}

const ROUTINE = /^\s*create\s+(?:or\s+replace\s+)?(?:function|procedure)\b/i
const PARENTHESIS_OR_BODY = /[()]|\bbegin\s+atomic\b/gi

/** The text with a space for each comment, string and quoted name. */
function codeOf(text: string): string {
  const code: string[] = []
  let at = 0
  OPENING.lastIndex = 0
  for (let opening = OPENING.exec(text); opening !== null; opening = OPENING.exec(text)) {
    code.push(text.slice(at, opening.index))
    at = endOf(text, opening[0], opening.index + opening[0].length)
    OPENING.lastIndex = at
  }
  code.push(text.slice(at))
  return code.join(' ')
}

/** What begins a comment, a string or a quoted name. A `$` inside a name begins nothing. */
const OPENING =
  /--|\/\*|(?<![\w$\x80-\uffff])e'|'|"|(?<![\w$\x80-\uffff])\$(?:[a-z_\x80-\uffff][\w\x80-\uffff]*)?\$/gi

/** Where it ends. A doubled quote inside a string counts as the begin of another one. */
function endOf(text: string, opening: string, from: number): number {
  if (opening === '/*') return endOfComment(text, from)
  if (opening.length === 2 && opening.endsWith("'")) return endOfEscapes(text, from)
  const closing = opening === '--' ? endOfLine(text, from) : opening
  const end = text.indexOf(closing, from)
  return end === -1 ? text.length : end + closing.length
}

function endOfLine(text: string, from: number): string {
  const end = /[\n\r]/g
  end.lastIndex = from
  return end.exec(text)?.[0] ?? '\n'
}

/** Comments nest. */
function endOfComment(text: string, from: number): number {
  const mark = /\/\*|\*\//g
  mark.lastIndex = from
  let depth = 1
  for (let found = mark.exec(text); found !== null; found = mark.exec(text)) {
    depth += found[0] === '/*' ? 1 : -1
    if (depth === 0) return mark.lastIndex
  }
  return text.length
}

/**
 * In a string of the form E'…' a backslash escapes the quote behind it, and a doubled quote is one
 * quote of the string. Behind a line break the string may be continued by another quote.
 */
function endOfEscapes(text: string, from: number): number {
  const mark = /\\[\s\S]|''|'/g
  mark.lastIndex = from
  for (let found = mark.exec(text); found !== null; found = mark.exec(text)) {
    if (found[0] !== "'") continue
    CONTINUED.lastIndex = mark.lastIndex
    if (!CONTINUED.test(text)) return mark.lastIndex
    mark.lastIndex = CONTINUED.lastIndex
  }
  return text.length
}

/** What may stand between the parts of a string: a line break, and more space and comments. */
const CONTINUED = /(?:[ \t\f\v]|--[^\n\r]*(?=[\n\r]))*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'/y
