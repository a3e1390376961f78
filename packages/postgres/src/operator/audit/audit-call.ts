/**
 * The SQL call that writes an act's audit entry. It goes into the statement that acts, so the act
 * and its entry are one commit. `actor` and `note` are parameters such as `$2`; `target` is an SQL
 * expression of type text, `detail` one of type jsonb. The call returns the entry's number.
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
 * The target of one dead letter, in the form that `actTarget` writes; `id` is an SQL expression
 * whose value is digits only.
 */
export function deadLetterTarget(source: string, id: string): string {
  return `'["dead-letter","${source}","' || ${id} || '"]'`
}
