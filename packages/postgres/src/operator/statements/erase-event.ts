import type { Statement } from '../../sql/sql-client.ts'

/** Empties what is stored of an event. The erasing gets an audit entry. */
export function eraseEventStatement(
  schema: string,
): (asked: {
  readonly id: string
  readonly target: string
  readonly actor: string
  readonly note: string
}) => Statement<{ events: string; entries: string }> {
  return ({ id, target, actor, note }) => ({
    name: 'erase_event',
    text: `
      select e.events::text as events, e.entries::text as entries
        from ${schema}.erase_event($1::text, $2::text, $3::text, $4::text) e
        where ${schema}.at_read_committed()`,
    values: [id, actor, target, note],
  })
}
