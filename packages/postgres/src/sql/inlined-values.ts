import type { Statement } from './sql-client.ts'
import { sqlLiteral } from './sql-literal.ts'

/** Writes a statement's values into its text as literals. Each text is split only once. */
export function inliner(): (statement: Statement) => string {
  const pieces = new Map<string, readonly string[]>()

  return ({ text, values }) => {
    if (values.length === 0) return text
    let split = pieces.get(text)
    if (split === undefined) {
      split = text.split(/\$(\d+)/)
      pieces.set(text, split)
    }
    // `split` keeps what the expression captures, so every second piece is the number of a
    // parameter.
    return split
      .map((piece, at) => (at % 2 === 0 ? piece : sqlLiteral(values[Number(piece) - 1] ?? null)))
      .join('')
  }
}
