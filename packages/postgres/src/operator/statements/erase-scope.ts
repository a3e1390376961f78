import type { Statement } from '../../sql/sql-client.ts'

/**
 * Empties the responses of a scope's keys and erases audit entries about these keys. The erasing
 * gets an audit entry.
 */
export function eraseScopeStatement(schema: string): (asked: {
  readonly namespace: string
  readonly scope: string
  /** How the audit targets of these keys begin. */
  readonly prefix: string
  readonly target: string
  readonly actor: string
  readonly note: string
}) => Statement<{ responses: string; entries: string }> {
  return ({ namespace, scope, prefix, target, actor, note }) => ({
    name: 'erase_scope_2',
    text: `
      select e.responses::text as responses, e.entries::text as entries
        from ${schema}.erase_scope_2($1::text, $2::text, $3::text, $4::text, $5::text, $6::text) e`,
    values: [namespace, scope, prefix, actor, target, note],
  })
}
