/**
 * The call that writes an act's audit entry, for the statement that acts: the two are one commit.
 * `actor` and `note` are parameters such as `$2`; `target` is an SQL expression of text and
 * `detail` one of jsonb. It answers the entry's number.
 */
export function auditCall(
  schema: string,
  entry: {
    readonly actor: string
    readonly note: string
    /** `dead-letters.discard`, or an expression such as `$5::text`. */
    readonly act: string
    readonly target: string
    readonly detail: string
  },
): string {
  const { actor, note, act, target, detail } = entry
  const name = act.startsWith('$') ? act : `'${act}'`
  return `${schema}.audit(${actor}::text, ${name}, ${target}, ${note}::text, ${detail})`
}

/**
 * The target of one dead letter, as `actTarget` writes it; `id` is an expression of plain digits.
 */
export function deadLetterTarget(source: string, id: string): string {
  return `'["dead-letter","${source}","' || ${id} || '"]'`
}
